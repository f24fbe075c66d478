/* Is the ggml that is loaded the one of ggml_abi.h? */
#include "ggml_abi.h"

#include <string.h>

#include "matmul.h"

const char *abi_difference(const ggml_functions *ggml, int *multiply)
{
    registry *cpu = ggml->backend_reg_by_name("CPU");
    if (!cpu || cpu->api_version != API_VERSION)
        return "another backend interface";
    device *d = ggml->reg_dev_get(cpu, 0);
    if (cpu->iface.get_device(cpu, 0) != d || d->reg != cpu || d->iface.get_name(d) != ggml->dev_name(d) || d->iface.get_type(d) != 0 ||
        d->iface.get_host_buffer_type || !d->iface.supports_op || !d->iface.supports_buft || d->iface.offload_op ||
        d->iface.event_new || d->iface.event_free || d->iface.event_synchronize)
        return "another device interface";
    backend *b = ggml->dev_init(d, NULL);
    if (!b)
        return "no CPU backend";
    const int alike = b->dev == d && b->iface.get_name && b->iface.free && !b->iface.set_tensor_async && !b->iface.get_tensor_async &&
                      !b->iface.set_tensor_2d_async && !b->iface.get_tensor_2d_async && !b->iface.cpy_tensor_async &&
                      !b->iface.synchronize && b->iface.plan_create && b->iface.plan_free && !b->iface.plan_update &&
                      b->iface.plan_compute && b->iface.graph_compute && !b->iface.event_record && !b->iface.event_wait;
    ggml->backend_free(b);
    if (!alike)
        return "another backend interface";
    static const struct { int type; const char *name; size_t bytes; } types[] = {
        {Q4_1, "q4_1", 160}, {Q5_0, "q5_0", 176}, {Q8_0, "q8_0", 272}, {Q6_K, "q6_K", 210}, {F32, "f32", 1024}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(ggml->type_name(types[i].type), types[i].name) || ggml->row_size(types[i].type, 256) != types[i].bytes)
            return "another format of weights";
    void *context = ggml->init((context_parameters){1 << 20, NULL, false});
    if (!context)
        return "no memory";
    const tensor *w = ggml->new_tensor_2d(context, Q8_0, 64, 48), *x = ggml->new_tensor_2d(context, F32, 64, 3);
    tensor *t = ggml->mul_mat(context, (tensor *)w, (tensor *)x);
    void *graph = ggml->new_graph(context);
    ggml->build_forward_expand(graph, t);
    const int same = t->src[0] == w && t->src[1] == x && !t->src[2] && w->type == Q8_0 && w->ne[0] == 64 && w->ne[1] == 48 && w->ne[3] == 1 &&
                     w->nb[0] == 34 && w->nb[1] == 68 && t->ne[0] == 48 && t->ne[1] == 3 && t->nb[1] == 192 && t->type == F32 && t->data &&
                     (uint8_t *)t->data > (uint8_t *)t && !t->view_src && !t->buffer && !strcmp(t->name, "node_0") && t->flags & COMPUTE &&
                     !strcmp(ggml->op_desc(t), "MUL_MAT") && ggml->graph_n_nodes(graph) == 1 && ggml->graph_node(graph, 0) == t;
    *multiply = t->op;
    ggml->free(context);
    return same ? NULL : "another layout of tensors";
}
