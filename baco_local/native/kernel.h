/* What the parts of the kernel share: its jobs and settings, and its scratch. layout.py repeats the
 * first two for Python.
 */
#ifndef BACO_KERNEL_H
#define BACO_KERNEL_H

#include "rows.h"

/* Token classes (one byte per vocabulary entry). */
enum { STARTS = 1, END = 2, FORMAT = 4, FUNCTION = 8 };
/* What is known about the text a job continues, and what it asks for. */
enum { OPEN = 1, UNFINISHED = 2, RESTRICT = 4, FORMATTED = 8 };
enum { DRAW = 0, DRAW_ROUTE = 1, ROUTE_DRAW = 2, LOOK = 3, READ = 4 };
enum { NO_CONTENT = 0, PUNC = 1, FC = 2 };
enum { FROM_BASE = 0, FROM_ALIGNED = 1, FROM_EITHER = 2 };
enum { ALWAYS = 0, NEVER = 1, P = 2, H = 3, RAND = 4, NUDGING = 5 };
enum { UNROUTED = -1, BASE = 0, ALIGNED = 1 };

typedef struct {
    const float *row; /* of logits */
    int32_t side, action, flags, n_penalised;
    int64_t penalised; /* offset of the first into ids and counts */
    double u_draw, u_route;
    double p, top_p, entropy;
    int32_t token, top, speaker, starts;
} job;

typedef struct {
    double temperature, top_p, min_p, repeat, frequency, presence, threshold;
    int32_t top_k, content, content_source, rule;
} settings;

typedef struct {
    int n, blocks;
    row_functions rows;
    float *maxima, *copy, *values, *weights;
    double *sums, *slopes, *mass;
    int32_t *ids;
    int32_t *counts;
} kernel;

/* draw.c. `summed`: the kernel holds the row's sums at temperature 1, and `sum` is their total. */
int argmax(const kernel *k, const float *row, float top);
double gather_sums(const kernel *k, float top, float scale, double *slope);
void draw(kernel *k, const float *row, const settings *s, job *j, float top, int summed, double sum);

/* route.c: BASE or ALIGNED. */
int route(const settings *s, const job *j, const uint8_t *classes);
#endif
