/* What an accelerator of ggml must know of its structures, which ggml keeps to itself: backend
 * interface 2 (llama-cpp-python 0.3.35 and 0.3.36). ggml_abi.c compares all of it with the ggml that
 * is loaded before any is used.
 */
#ifndef BACO_GGML_ABI_H
#define BACO_GGML_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { API_VERSION = 2, F32 = 0, COMPUTE = 16 /* a tensor's flag */, ACCELERATOR = 3, SUCCESS = 0, NO_MEMORY = -2 };

typedef struct tensor tensor;
struct tensor {
    int32_t type;
    void *buffer;
    int64_t ne[4]; /* elements */
    size_t nb[4];  /* bytes from one to the next */
    int32_t op, op_params[16], flags;
    tensor *src[10], *view_src;
    size_t view_offs;
    void *data;
    char name[64];
    void *extra;
    char padding[8];
};

typedef struct device device;
typedef struct registry registry;
typedef struct backend backend;
typedef void (*unused)(void);

struct backend {
    void *guid;
    struct {
        const char *(*get_name)(backend *);
        void (*free)(backend *);
        unused set_tensor_async, get_tensor_async, set_tensor_2d_async, get_tensor_2d_async, cpy_tensor_async;
        unused synchronize, plan_create, plan_free, plan_update, plan_compute;
        int (*graph_compute)(backend *, void *graph);
        unused event_record, event_wait, graph_optimize;
    } iface;
    device *dev;
    void *context;
};

typedef struct {
    const char *name, *description;
    size_t memory_free, memory_total;
    int type;
    const char *id;
    bool async, host_buffer, buffer_from_host_ptr, events, mmap;
} device_properties;

struct device {
    struct {
        const char *(*get_name)(device *), *(*get_description)(device *);
        void (*get_memory)(device *, size_t *free, size_t *total);
        int (*get_type)(device *);
        void (*get_props)(device *, device_properties *);
        backend *(*init_backend)(device *, const char *);
        void *(*get_buffer_type)(device *);
        unused get_host_buffer_type, buffer_from_host_ptr;
        bool (*supports_op)(device *, const tensor *), (*supports_buft)(device *, void *);
        unused offload_op, event_new, event_free, event_synchronize;
    } iface;
    registry *reg;
    void *context;
};

struct registry {
    int api_version;
    struct {
        const char *(*get_name)(registry *);
        size_t (*get_device_count)(registry *);
        device *(*get_device)(registry *, size_t);
        void *(*get_proc_address)(registry *, const char *);
    } iface;
    void *context;
};

typedef struct {
    size_t size;
    void *memory;
    bool no_alloc;
} context_parameters;

/* The public functions of ggml that are called, in the order in which products.py passes them. */
typedef struct {
    void (*backend_register)(registry *);
    registry *(*backend_reg_by_name)(const char *);
    device *(*reg_dev_get)(registry *, size_t);
    const char *(*dev_name)(device *);
    backend *(*dev_init)(device *, const char *);
    void (*backend_free)(backend *);
    void *(*cpu_buffer_type)(void);
    bool (*buft_is_host)(void *);
    int (*graph_n_nodes)(void *graph);
    tensor *(*graph_node)(void *graph, int);
    void *(*init)(context_parameters);
    void (*free)(void *context);
    tensor *(*new_tensor_2d)(void *context, int type, int64_t, int64_t);
    tensor *(*mul_mat)(void *context, tensor *, tensor *);
    void *(*new_graph)(void *context);
    void (*build_forward_expand)(void *graph, tensor *);
    const char *(*op_desc)(const tensor *), *(*type_name)(int);
    size_t (*row_size)(int type, int64_t n);
    /* of the OpenMP library that ggml itself uses: a second set of threads would fight with its own */
    void (*parallel)(void (*work)(void *), void *data, unsigned threads, unsigned flags);
} ggml_functions;

/* Do ggml's own CPU backend and a product made by it look as above? NULL, or what doesn't. multiply: set to the
 * number of the product's operation. */
const char *abi_difference(const ggml_functions *ggml, int *multiply);
#endif
