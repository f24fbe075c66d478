/* Products of quantised weights with a few rows of activations: see matmul.c. */
#ifndef BACO_MATMUL_H
#define BACO_MATMUL_H

#include <stddef.h>
#include <stdint.h>

enum { Q4_1 = 3, Q5_0 = 6, Q8_0 = 8, Q6_K = 14 }; /* as in ggml_type */
enum { COLUMNS = 16 };                            /* outputs that one call of `tile` computes */

/* out[r][j] = sum over i of weights[j][i] * x[r][i], for r < rows, j < n, i < k. */
typedef struct {
    int type, k, n, rows;
    const uint8_t *weights; /* n rows of row_bytes */
    size_t row_bytes;
    const float *x; /* rows, x_stride floats apart */
    size_t x_stride;
    float *out; /* rows, out_stride floats apart */
    size_t out_stride;
    /* scratch: x in whole numbers, and per block its scale and scale * (sum of the numbers) */
    uint8_t *acts;
    float *scales, *sums;
} product;

typedef struct {
    int lanes; /* rows computed side by side in a register; 0: this machine has no such functions */
    void (*quantise)(const product *p, int row);
    void (*tile)(const product *p, int first);
} product_functions;

#define DECLARE_PRODUCTS(suffix)                       \
    void product_quantise_##suffix(const product *, int); \
    void product_tile_##suffix(const product *, int);

#define PRODUCTS(suffix, lanes) \
    (product_functions) { lanes, product_quantise_##suffix, product_tile_##suffix }

DECLARE_PRODUCTS(vnni512)
DECLARE_PRODUCTS(vnni256)
DECLARE_PRODUCTS(avxvnni)
DECLARE_PRODUCTS(avx2)
#endif
