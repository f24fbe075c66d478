/* One product of few rows, over the threads: see products.c. */
#ifndef BACO_PRODUCTS_H
#define BACO_PRODUCTS_H

#include "ggml_abi.h"
#include "matmul.h"

/* Functions for 16 rows at once (lanes 0 where the machine has none) and for up to 8. */
typedef struct {
    product_functions wide, narrow;
} choice;

typedef struct {
    int threads;
    void *memory;
    size_t size;
} scratch;

/* level: as for baco_kernel_new. 0 where this CPU has nothing for it. */
int choose_products(const char *level, choice *c);

/* t = t->src[0] times t->src[1], as ggml_mul_mat; SUCCESS or NO_MEMORY. */
int compute_product(scratch *s, const choice *c, tensor *t);
#endif
