/* An accelerator for ggml (as its BLAS one is) that computes the matrix products of matmul.c on
 * the threads that ggml computes on. It is registered with ggml's public function; from then on
 * every context of this process sends it the products it says it supports, while it is enabled.
 */
#include <stdlib.h>
#include <string.h>

#include "ggml_abi.h"
#include "matmul.h"
#include "parallel.h"

#ifdef _WIN32
#define API __declspec(dllexport)
#define give_way() (void)0
#else
#include <sched.h>
#define API __attribute__((visibility("default")))
#define give_way() sched_yield()
#endif

enum { FEWEST_ROWS = 2, MOST_ROWS = 4096, PATIENCE = 10000 };

static ggml_functions ggml;
static int multiply;                   /* the operation's number in ggml_op */
static int enabled;
static long long products; /* computed so far, for tests */

/* Functions for 16 rows at once (lanes 0 where the machine has none) and for up to 8. */
typedef struct {
    product_functions wide, narrow;
} choice;

static choice best;

static int choose(const char *level, choice *c)
{
#ifdef BACO_X86
    __builtin_cpu_init();
    const int any = !*level, avx512 = any || !strcmp(level, "avx512");
    if (avx512 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw")) {
        *c = (choice){PRODUCTS(vnni512, 16), PRODUCTS(vnni256, 8)};
        return 1;
    }
#ifdef BACO_AVXVNNI
    if (any && __builtin_cpu_supports("avxvnni") && __builtin_cpu_supports("fma")) {
        *c = (choice){{0}, PRODUCTS(avxvnni, 8)};
        return 1;
    }
#endif
    if ((any || !strcmp(level, "avx2")) && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        *c = (choice){{0}, PRODUCTS(avx2, 8)};
        return 1;
    }
#endif
    (void)level, (void)c;
    return 0;
}

/* The rows of one product in one or two parts: whole wide groups, and the rest. */
typedef struct {
    product parts[2];
    product_functions functions[2];
    int n_parts, rows, chunk;
    int next_row, ready_rows, next_column; /* handed out to the threads */
} job;

static void work(void *data)
{
    job *j = data;
    for (int r; (r = __atomic_fetch_add(&j->next_row, 1, __ATOMIC_RELAXED)) < j->rows;) {
        const int second = r >= j->parts[0].rows;
        j->functions[second].quantise(&j->parts[second], second ? r - j->parts[0].rows : r);
        __atomic_fetch_add(&j->ready_rows, 1, __ATOMIC_RELEASE);
    }
    for (int turns = 0; __atomic_load_n(&j->ready_rows, __ATOMIC_ACQUIRE) < j->rows; turns++)
        if (turns > PATIENCE) /* another program has the other thread's core */
            give_way();
    const int n = j->parts[0].n;
    for (int c; (c = __atomic_fetch_add(&j->next_column, j->chunk, __ATOMIC_RELAXED)) < n;)
        for (int i = c; i < c + j->chunk && i < n; i += COLUMNS)
            for (int part = 0; part < j->n_parts; part++)
                j->functions[part].tile(&j->parts[part], i);
}

typedef struct {
    int threads;
    void *memory;
    size_t size;
} scratch;

static int compute_product(scratch *s, const choice *c, tensor *t)
{
    const tensor *w = t->src[0], *x = t->src[1];
    const int rows = (int)x->ne[1], over = rows % 16;
    const int first = c->wide.lanes ? rows - (over <= 8 ? over : 0) : rows;
    job j = {.rows = rows, .n_parts = 0};
    const product whole = {.type = w->type, .k = (int)w->ne[0], .n = (int)w->ne[1], .weights = w->data, .row_bytes = w->nb[1],
                           .x = x->data, .x_stride = x->nb[1] / 4, .out = t->data, .out_stride = t->nb[1] / 4};
    for (int at = 0; at < rows; j.n_parts++) {
        product *p = &j.parts[j.n_parts];
        *p = whole;
        j.functions[j.n_parts] = c->wide.lanes && at < first ? c->wide : c->narrow;
        p->rows = at < first ? first : rows - at;
        p->x += (size_t)at * p->x_stride;
        p->out += (size_t)at * p->out_stride;
        at += p->rows;
    }
    size_t need = 0, sizes[2];
    for (int part = 0; part < j.n_parts; part++) {
        const size_t lanes = (size_t)j.functions[part].lanes;
        const size_t padded = ((size_t)j.parts[part].rows + lanes - 1) / lanes * lanes * (size_t)whole.k;
        need += sizes[part] = padded + 2 * (padded / 32 * sizeof(float)); /* whole cache lines */
    }
    if (need > s->size) {
        free(s->memory);
        s->size = 0;
        s->memory = calloc(1, need + 64);
        if (!s->memory)
            return NO_MEMORY;
        s->size = need;
    }
    uint8_t *room = (uint8_t *)(((uintptr_t)s->memory + 63) & ~(uintptr_t)63);
    for (int part = 0; part < j.n_parts; part++) {
        product *p = &j.parts[part];
        const size_t padded = sizes[part] / 5 * 4; /* bytes; a fifth is for the two floats per 32 */
        p->acts = room;
        p->scales = (float *)(room + padded);
        p->sums = p->scales + padded / 32;
        room += sizes[part];
    }
    /* chunks small enough for both threads to end together, and never a part of a tile */
    j.chunk = whole.n / (s->threads * 8) / COLUMNS * COLUMNS;
    j.chunk = j.chunk < COLUMNS ? COLUMNS : j.chunk > 1024 ? 1024 : j.chunk;
    run_parallel(work, &j, s->threads);
    products++;
    return SUCCESS;
}

void run_parallel(void (*function)(void *), void *data, int threads)
{
    if (threads > 1 && ggml.parallel)
        ggml.parallel(function, data, (unsigned)threads, 0);
    else
        function(data);
}

static int graph_compute(backend *b, void *graph)
{
    for (int i = 0; i < ggml.graph_n_nodes(graph); i++) {
        tensor *t = ggml.graph_node(graph, i);
        if (!(t->flags & COMPUTE) || t->op != multiply)
            continue;
        const int status = compute_product(b->context, &best, t);
        if (status != SUCCESS)
            return status;
    }
    return SUCCESS;
}

/* Views and the like need no computing; saying no to them would only cut the graph into more pieces. */
static bool supports_op(device *d, const tensor *t)
{
    (void)d;
    if (t->op != multiply)
        return !strcmp(ggml.op_desc(t), "NONE") || !strcmp(ggml.op_desc(t), "RESHAPE") ||
               !strcmp(ggml.op_desc(t), "VIEW") || !strcmp(ggml.op_desc(t), "PERMUTE") ||
               !strcmp(ggml.op_desc(t), "TRANSPOSE");
    const tensor *w = t->src[0], *x = t->src[1];
    const int known = w->type == Q8_0 || w->type == Q4_1 || w->type == Q5_0 || w->type == Q6_K;
    return enabled && known && !t->op_params[1] /* a hint for another algorithm */ && w->ne[1] % COLUMNS == 0 &&
           w->ne[0] % (w->type == Q6_K ? 256 : 32) == 0 && w->ne[0] < 1 << 20 && w->ne[1] < 1 << 30 &&
           w->nb[1] == ggml.row_size(w->type, w->ne[0]) && w->ne[2] == 1 && w->ne[3] == 1 && x->type == F32 &&
           x->nb[0] == sizeof(float) && x->nb[1] % sizeof(float) == 0 && x->ne[2] == 1 && x->ne[3] == 1 &&
           x->ne[1] >= FEWEST_ROWS && x->ne[1] <= MOST_ROWS && t->type == F32 && t->nb[0] == sizeof(float);
}

static bool supports_buft(device *d, void *type) { return (void)d, ggml.buft_is_host(type); }

static void set_threads(backend *b, int threads) { ((scratch *)b->context)->threads = threads; }

static const char *backend_name(backend *b) { return (void)b, "baco-local"; }

static void backend_free(backend *b)
{
    free(((scratch *)b->context)->memory);
    free(b->context);
    free(b);
}

static backend *init_backend(device *d, const char *parameters)
{
    static uint8_t guid[16] = {0x62, 0x61, 0x63, 0x6f, 0x2d, 0x6c, 0x6f, 0x63, 0x61, 0x6c, 0x20, 0x6d, 0x61, 0x74, 0x6d, 0x6c};
    (void)parameters;
    backend *b = calloc(1, sizeof *b);
    scratch *s = calloc(1, sizeof *s);
    if (!b || !s)
        return free(b), free(s), NULL;
    s->threads = 1;
    *b = (backend){.guid = &guid, .dev = d, .context = s};
    b->iface.get_name = backend_name;
    b->iface.free = backend_free;
    b->iface.graph_compute = graph_compute;
    return b;
}

static const char *device_name(device *d) { return (void)d, "baco-local"; }
static const char *device_description(device *d) { return (void)d, "products of few rows"; }
static void device_memory(device *d, size_t *spare, size_t *total) { (void)d, *spare = *total = 0; }
static int device_type(device *d) { return (void)d, ACCELERATOR; }
static void *device_buffer_type(device *d) { return (void)d, ggml.cpu_buffer_type(); }

static void device_props(device *d, device_properties *p)
{
    *p = (device_properties){.name = device_name(d), .description = device_description(d), .type = ACCELERATOR, .mmap = true};
}

static device the_device = {.iface = {.get_name = device_name,
                                      .get_description = device_description,
                                      .get_memory = device_memory,
                                      .get_type = device_type,
                                      .get_props = device_props,
                                      .init_backend = init_backend,
                                      .get_buffer_type = device_buffer_type,
                                      .supports_op = supports_op,
                                      .supports_buft = supports_buft}};

static const char *registry_name(registry *r) { return (void)r, "baco-local"; }
static size_t device_count(registry *r) { return (void)r, 1; }
static device *get_device(registry *r, size_t i) { return (void)r, (void)i, &the_device; }

static void *proc_address(registry *r, const char *name)
{
    (void)r;
    return strcmp(name, "ggml_backend_set_n_threads") ? NULL : (void *)(uintptr_t)set_threads;
}

static registry the_registry = {.api_version = API_VERSION,
                                .iface = {registry_name, device_count, get_device, proc_address}};

/* Do ggml's own CPU backend and a product made by it look as ggml_abi.h says? NULL, or what doesn't. */
static const char *difference(void)
{
    registry *cpu = ggml.backend_reg_by_name("CPU");
    if (!cpu || cpu->api_version != API_VERSION)
        return "another backend interface";
    device *d = ggml.reg_dev_get(cpu, 0);
    if (cpu->iface.get_device(cpu, 0) != d || d->reg != cpu || d->iface.get_name(d) != ggml.dev_name(d) || d->iface.get_type(d) != 0 ||
        d->iface.get_host_buffer_type || !d->iface.supports_op || !d->iface.supports_buft || d->iface.offload_op ||
        d->iface.event_new || d->iface.event_free || d->iface.event_synchronize)
        return "another device interface";
    backend *b = ggml.dev_init(d, NULL);
    if (!b)
        return "no CPU backend";
    const int alike = b->dev == d && b->iface.get_name && b->iface.free && !b->iface.set_tensor_async && !b->iface.get_tensor_async &&
                      !b->iface.set_tensor_2d_async && !b->iface.get_tensor_2d_async && !b->iface.cpy_tensor_async &&
                      !b->iface.synchronize && b->iface.plan_create && b->iface.plan_free && !b->iface.plan_update &&
                      b->iface.plan_compute && b->iface.graph_compute && !b->iface.event_record && !b->iface.event_wait;
    ggml.backend_free(b);
    if (!alike)
        return "another backend interface";
    static const struct { int type; const char *name; size_t bytes; } types[] = {
        {Q4_1, "q4_1", 160}, {Q5_0, "q5_0", 176}, {Q8_0, "q8_0", 272}, {Q6_K, "q6_K", 210}, {F32, "f32", 1024}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(ggml.type_name(types[i].type), types[i].name) || ggml.row_size(types[i].type, 256) != types[i].bytes)
            return "another format of weights";
    void *context = ggml.init((context_parameters){1 << 20, NULL, false});
    if (!context)
        return "no memory";
    const tensor *w = ggml.new_tensor_2d(context, Q8_0, 64, 48), *x = ggml.new_tensor_2d(context, F32, 64, 3);
    tensor *t = ggml.mul_mat(context, (tensor *)w, (tensor *)x);
    void *graph = ggml.new_graph(context);
    ggml.build_forward_expand(graph, t);
    const int same = t->src[0] == w && t->src[1] == x && !t->src[2] && w->type == Q8_0 && w->ne[0] == 64 && w->ne[1] == 48 && w->ne[3] == 1 &&
                     w->nb[0] == 34 && w->nb[1] == 68 && t->ne[0] == 48 && t->ne[1] == 3 && t->nb[1] == 192 && t->type == F32 && t->data &&
                     (uint8_t *)t->data > (uint8_t *)t && !t->view_src && !t->buffer && !strcmp(t->name, "node_0") && t->flags & COMPUTE &&
                     !strcmp(ggml.op_desc(t), "MUL_MAT") && ggml.graph_n_nodes(graph) == 1 && ggml.graph_node(graph, 0) == t;
    multiply = t->op;
    ggml.free(context);
    return same ? NULL : "another layout of tensors";
}

/* Registers the accelerator, once. level: as for baco_kernel_new. NULL, or why there is none. */
API const char *baco_products_register(const ggml_functions *functions, const char *level)
{
    static int done;
    if (done)
        return NULL;
    ggml = *functions;
    if (!level || !choose(level, &best))
        return "no instructions for it";
    const char *problem = difference();
    if (problem)
        return problem;
    the_device.reg = &the_registry;
    ggml.backend_register(&the_registry);
    done = enabled = 1;
    return NULL;
}

/* Takes effect with the next graph that llama.cpp builds. Returns what was before. */
API int baco_products_enable(int yes)
{
    const int before = enabled;
    enabled = yes;
    return before;
}

/* Rows that cost about what one costs; 0 where nothing is registered. */
API int baco_products_lanes(void) { return !enabled ? 0 : best.wide.lanes ? best.wide.lanes : best.narrow.lanes; }

API long long baco_products_count(void) { return products; }

/* out (rows, n) = x (rows, k) times weights (n, k) of a type, on this thread; 0, or -1 where it can't. For tests. */
API int baco_products_compute(int type, int k, int n, int rows, const uint8_t *weights, size_t row_bytes, const float *x,
                              float *out, const char *level)
{
    choice c;
    if (!choose(level, &c))
        return -1;
    tensor w = {.type = type, .ne = {k, n, 1, 1}, .nb = {0, row_bytes}, .data = (void *)(uintptr_t)weights};
    tensor a = {.type = F32, .ne = {k, rows, 1, 1}, .nb = {4, (size_t)k * 4}, .data = (void *)(uintptr_t)x};
    tensor t = {.type = F32, .nb = {4, (size_t)n * 4}, .src = {&w, &a}, .data = out};
    scratch s = {.threads = 1};
    const int status = compute_product(&s, &c, &t);
    free(s.memory);
    return status == SUCCESS ? 0 : -1;
}
