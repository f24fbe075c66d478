/* Route and draw over raw logits: every row of a tick in one call, no sorting of the
 * vocabulary, no allocation. twin.py is the same thing in numpy and the place to read first.
 */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "parallel.h"

#ifdef _WIN32
#define API __declspec(dllexport)
#else
#define API __attribute__((visibility("default")))
#endif

static row_functions choose(const char *level)
{
#ifdef BACO_X86
    __builtin_cpu_init();
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
    if (avx512 && (!*level || !strcmp(level, "avx512")))
        return ROWS(avx512);
    if (avx2 && (!*level || !strcmp(level, "avx2")))
        return ROWS(avx2);
#endif
    (void)level;
    return ROWS(baseline);
}

API void baco_kernel_free(kernel *k)
{
    if (!k)
        return;
    free(k->maxima), free(k->copy), free(k->values), free(k->weights);
    free(k->sums), free(k->slopes), free(k->mass), free(k->ids), free(k->counts);
    free(k);
}

/* level: "" for the best this CPU has, or "avx512", "avx2", "baseline". NULL: out of memory. */
API kernel *baco_kernel_new(int n_vocab, const char *level)
{
    kernel *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    k->n = n_vocab;
    k->blocks = (n_vocab + BLOCK - 1) / BLOCK;
    k->rows = choose(level);
    const size_t n = (size_t)n_vocab, blocks = (size_t)k->blocks;
    k->maxima = malloc(blocks * sizeof(float));
    k->sums = malloc(blocks * sizeof(double));
    k->slopes = malloc(blocks * sizeof(double));
    k->copy = malloc(n * sizeof(float));
    k->values = malloc(n * sizeof(float));
    k->weights = malloc((n > BLOCK ? n : BLOCK) * sizeof(float));
    k->ids = malloc(n * sizeof(int32_t));
    k->mass = malloc(BLOCK * sizeof(double));
    k->counts = malloc(BLOCK * sizeof(int32_t));
    if (!k->maxima || !k->sums || !k->slopes || !k->copy || !k->values || !k->weights || !k->ids || !k->mass || !k->counts) {
        baco_kernel_free(k);
        return NULL;
    }
    return k;
}

API const char *baco_kernel_level(const kernel *k)
{
#ifdef BACO_X86
    if (k->rows.maxima == row_maxima_avx512)
        return "avx512";
    if (k->rows.maxima == row_maxima_avx2)
        return "avx2";
    return "sse2";
#elif defined(__ARM_NEON)
    (void)k;
    return "neon";
#else
    (void)k;
    return "generic";
#endif
}

/* A copy of the row with the penalties applied and, if restricted, with -inf on every
 * entry that does not start a word. */
static const float *prepared(kernel *k, const float *row, const uint8_t *classes, const settings *s, const job *j,
                             int restricted, const int32_t *ids, const int32_t *counts)
{
    if (row != k->copy)
        memcpy(k->copy, row, (size_t)k->n * sizeof(float));
    for (int i = 0; i < j->n_penalised; i++) {
        const int32_t id = ids[j->penalised + i];
        if (id < 0 || id >= k->n)
            continue;
        float x = k->copy[id];
        x = x > 0 ? x / (float)s->repeat : x * (float)s->repeat;
        x -= (float)(counts[j->penalised + i] * s->frequency + s->presence);
        k->copy[id] = x > FLT_MAX ? FLT_MAX : x;
    }
    if (restricted)
        for (int i = 0; i < k->n; i++)
            k->copy[i] = classes[i] & STARTS ? k->copy[i] : -INFINITY;
    return k->copy;
}

static void serve(kernel *k, const float *row, const uint8_t *classes, const settings *s, job *j, const int32_t *ids,
                  const int32_t *counts)
{
    j->token = j->top = -1;
    j->speaker = UNROUTED;
    j->starts = 0;
    j->p = j->top_p = j->entropy = 0;

    if (j->action == READ) {
        j->p = k->rows.read(row, k->n);
        return;
    }
    const int wants_sums = j->action == DRAW_ROUTE || j->action == ROUTE_DRAW;
    float top = wants_sums ? k->rows.sums(row, k->n, 1.0f, k->maxima, k->sums, k->slopes) : k->rows.maxima(row, k->n, k->maxima);
    if (top == INFINITY) { /* an overflowed model: its infinities share the mass */
        for (int i = 0; i < k->n; i++)
            k->copy[i] = row[i] == INFINITY ? FLT_MAX : -INFINITY;
        row = k->copy;
        top = wants_sums ? k->rows.sums(row, k->n, 1.0f, k->maxima, k->sums, k->slopes) : k->rows.maxima(row, k->n, k->maxima);
    }
    if (!(top > -INFINITY))
        return;
    double sum = 0, slope;
    j->top = argmax(k, row, top);
    if (wants_sums) {
        sum = gather_sums(k, top, 1.0f, &slope);
        j->top_p = 1 / sum;
        j->entropy = log(sum) - slope / sum;
    }
    if (j->action == LOOK)
        return;
    if (j->action == ROUTE_DRAW) {
        j->speaker = route(s, j, classes);
        if (j->speaker == ALIGNED)
            return;
    }
    int summed = wants_sums;
    const int restricted = j->flags & RESTRICT && !(j->flags & OPEN);
    if (restricted || j->n_penalised > 0) {
        row = prepared(k, row, classes, s, j, restricted, ids, counts);
        top = k->rows.maxima(row, k->n, k->maxima);
        summed = 0;
        if (!(top > -INFINITY))
            return;
    }
    draw(k, row, s, j, top, summed, sum);
    j->starts = !(j->flags & UNFINISHED) && (j->flags & OPEN || classes[j->token] & STARTS);
    if (j->action == DRAW_ROUTE && j->starts)
        j->speaker = route(s, j, classes);
}

/* So that a test can hold the Python side to this layout. */
API void baco_kernel_layout(int *job_size, int *settings_size)
{
    *job_size = (int)sizeof(job);
    *settings_size = (int)sizeof(settings);
}

/* All jobs of a tick, of both models; threads take them one by one, each with scratch of its own. */
typedef struct {
    kernel *const *kernels; /* [thread][side] */
    const uint8_t *const *classes; /* [side], bytes of the vocabulary */
    const settings *settings;
    job *jobs;
    const int32_t *ids, *counts;
    int n_sides, n_jobs, next_job, next_thread;
} tick;

static void serve_some(void *data)
{
    tick *t = data;
    kernel *const *own = t->kernels + t->n_sides * __atomic_fetch_add(&t->next_thread, 1, __ATOMIC_RELAXED);
    for (int i; (i = __atomic_fetch_add(&t->next_job, 1, __ATOMIC_RELAXED)) < t->n_jobs;) {
        job *j = t->jobs + i;
        serve(own[j->side], j->row, t->classes[j->side], t->settings, j, t->ids, t->counts);
    }
}

/* Results are written into the jobs. kernels: made by baco_kernel_new, threads * n_sides of them. */
API void baco_kernel_serve(kernel *const *kernels, int n_sides, const uint8_t *const *classes, const settings *s, job *jobs,
                           int n_jobs, const int32_t *ids, const int32_t *counts, int threads)
{
    tick t = {kernels, classes, s, jobs, ids, counts, n_sides, n_jobs, 0, 0};
    run_parallel(serve_some, &t, n_jobs < threads ? n_jobs : threads);
}
