/* An accelerator for ggml (as its BLAS one is) that computes the matrix products of products.c
 * on the threads that ggml computes on. It is registered with ggml's public function; from then on
 * every context of this process sends it the products it says it supports, while it is enabled.
 */
#include <stdlib.h>
#include <string.h>

#include "ggml_abi.h"
#include "parallel.h"
#include "products.h"

#ifdef _WIN32
#define API __declspec(dllexport)
#else
#define API __attribute__((visibility("default")))
#endif

enum { FEWEST_ROWS = 2, MOST_ROWS = 4096 };

static ggml_functions ggml;
static int multiply;                   /* the operation's number in ggml_op */
static int enabled;
static long long products; /* computed so far, for tests */

static choice best;

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
        products++;
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

/* Registers the accelerator, once. level: as for baco_kernel_new. NULL, or why there is none. */
API const char *baco_products_register(const ggml_functions *functions, const char *level)
{
    static int done;
    if (done)
        return NULL;
    ggml = *functions;
    if (!level || !choose_products(level, &best))
        return "no instructions for it";
    const char *problem = abi_difference(&ggml, &multiply);
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
    if (!choose_products(level, &c))
        return -1;
    tensor w = {.type = type, .ne = {k, n, 1, 1}, .nb = {0, row_bytes}, .data = (void *)(uintptr_t)weights};
    tensor a = {.type = F32, .ne = {k, rows, 1, 1}, .nb = {4, (size_t)k * 4}, .data = (void *)(uintptr_t)x};
    tensor t = {.type = F32, .nb = {4, (size_t)n * 4}, .src = {&w, &a}, .data = out};
    scratch s = {.threads = 1};
    const int status = compute_product(&s, &c, &t);
    free(s.memory);
    return status == SUCCESS ? 0 : -1;
}
