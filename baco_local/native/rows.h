/* The row functions of every instruction set, and the table the dispatcher fills. */
#ifndef BACO_ROWS_H
#define BACO_ROWS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

enum { BLOCK = 1024 };

typedef struct {
    float (*maxima)(const float *row, int n, float *maxima);
    float (*sums)(const float *row, int n, float scale, float *maxima, double *sums, double *slopes);
    void (*weights)(const float *x, int n, float anchor, float scale, float *weights);
    int (*gather)(const float *row, int n, float floor, const float *maxima, int32_t *ids, float *values);
    float (*read)(const float *row, int n);
} row_functions;

#define DECLARE_ROWS(suffix)                                                                            \
    float row_maxima_##suffix(const float *, int, float *);                                             \
    float row_sums_##suffix(const float *, int, float, float *, double *, double *);                    \
    void row_weights_##suffix(const float *, int, float, float, float *);                               \
    int row_gather_##suffix(const float *, int, float, const float *, int32_t *, float *);               \
    float row_read_##suffix(const float *, int);

#define ROWS(suffix) \
    (row_functions) { row_maxima_##suffix, row_sums_##suffix, row_weights_##suffix, row_gather_##suffix, row_read_##suffix }

DECLARE_ROWS(baseline)
#ifdef BACO_X86
DECLARE_ROWS(avx2)
DECLARE_ROWS(avx512)
#endif
#endif
