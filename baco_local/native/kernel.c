/* Route and draw over raw logits: every row of a tick in one call, no sorting of the
 * vocabulary, no allocation. twin.py is the same thing in numpy and the place to read
 * first; the job and settings layouts are mirrored in layout.py.
 */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "rows.h"

#ifdef _WIN32
#define API __declspec(dllexport)
#else
#define API __attribute__((visibility("default")))
#endif

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

/* The first entry equal to the row's maximum. */
static int argmax(const kernel *k, const float *row, float top)
{
    for (int b = 0; b < k->blocks; b++)
        if (k->maxima[b] == top)
            for (int i = b * BLOCK; i < k->n; i++)
                if (row[i] == top)
                    return i;
    return -1;
}

/* total = sum over the row of exp((x - top) * scale), slope = the same times its exponent. */
static double gather_sums(const kernel *k, float top, float scale, double *slope)
{
    double total = 0, slopes = 0;
    for (int b = 0; b < k->blocks; b++) {
        if (!(k->maxima[b] > -INFINITY))
            continue;
        const double d = ((double)k->maxima[b] - top) * scale, w = exp(d);
        total += w * k->sums[b];
        slopes += w > 0 ? w * (k->slopes[b] + d * k->sums[b]) : 0;
    }
    if (slope)
        *slope = slopes;
    return total;
}

/* Keeps the shortest prefix, in order of falling value and rising id, whose weight reaches
 * `target`; weight is 1 each when `weights` is NULL. Buckets by value first, so that only
 * the one bucket in which the target falls is ordered. The kept stay in order of id. */
static int keep_heaviest(kernel *k, int n, const float *weights, double target)
{
    float high = -INFINITY, low = INFINITY;
    target = target > 0 ? target : DBL_MIN; /* at least the heaviest */
    for (int i = 0; i < n; i++) {
        high = k->values[i] > high ? k->values[i] : high;
        low = k->values[i] < low ? k->values[i] : low;
    }
    float floor = -INFINITY; /* all above are kept; those equal to it up to id `last` */
    int last = -1;
    double above = 0; /* weight of the kept entries > high */
    for (;;) {
        const double width = ((double)high - low) / BLOCK;
        if (!(width > 0)) { /* every entry in [low, high] has the same value: rising id decides */
            floor = high;
            for (int i = 0; i < n && above < target; i++)
                if (k->values[i] == floor) {
                    above += weights ? weights[i] : 1.0;
                    last = k->ids[i];
                }
            break;
        }
        memset(k->mass, 0, BLOCK * sizeof(double));
        memset(k->counts, 0, BLOCK * sizeof(int32_t));
        for (int i = 0; i < n; i++)
            if (k->values[i] <= high && k->values[i] >= low) {
                int b = (int)(((double)high - k->values[i]) / width);
                b = b < BLOCK ? b : BLOCK - 1;
                k->mass[b] += weights ? weights[i] : 1.0;
                k->counts[b]++;
            }
        int b = 0;
        while (b < BLOCK - 1 && (k->counts[b] == 0 || above + k->mass[b] < target))
            above += k->mass[b++];
        float bucket_high = -INFINITY, bucket_low = INFINITY;
        for (int i = 0; i < n; i++)
            if (k->values[i] <= high && k->values[i] >= low) {
                int c = (int)(((double)high - k->values[i]) / width);
                c = c < BLOCK ? c : BLOCK - 1;
                if (c != b)
                    continue;
                bucket_high = k->values[i] > bucket_high ? k->values[i] : bucket_high;
                bucket_low = k->values[i] < bucket_low ? k->values[i] : bucket_low;
            }
        high = bucket_high;
        low = bucket_low;
    }
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (k->values[i] > floor || (k->values[i] == floor && k->ids[i] <= last)) {
            k->ids[kept] = k->ids[i];
            k->values[kept++] = k->values[i];
        }
    return kept;
}

/* The first entry whose running sum exceeds u * total; the last one that weighs anything
 * when rounding leaves none. */
static int first_above(const float *weights, int n, double target)
{
    double sum = 0;
    int last = -1;
    for (int i = 0; i < n; i++) {
        if (!(weights[i] > 0))
            continue;
        sum += weights[i];
        last = i;
        if (sum > target)
            break;
    }
    return last;
}

/* Draws from the whole row: choose a block by its sum, re-read that block. */
static void draw_whole(kernel *k, const float *row, const settings *s, job *j, float top, int summed)
{
    const float scale = (float)(1.0 / s->temperature);
    if (!summed)
        k->rows.sums(row, k->n, scale, k->maxima, k->sums, k->slopes);
    const double all = gather_sums(k, top, scale, NULL), target = j->u_draw * all;
    double before = 0, here = 0;
    int block = -1;
    for (int b = 0; b < k->blocks; b++) {
        if (!(k->maxima[b] > -INFINITY))
            continue;
        here = exp(((double)k->maxima[b] - top) * scale) * k->sums[b];
        if (!(here > 0))
            continue;
        block = b;
        if (before + here > target)
            break;
        before += here;
    }
    const int start = block * BLOCK, width = k->n - start < BLOCK ? k->n - start : BLOCK;
    k->rows.weights(row + start, width, k->maxima[block], scale, k->weights);
    const double unit = exp(((double)k->maxima[block] - top) * scale);
    const int i = first_above(k->weights, width, (target - before) / unit);
    j->token = start + i;
    j->p = k->weights[i] * unit / all;
}

static void draw_truncated(kernel *k, const float *row, const settings *s, job *j, float top, double sum)
{
    int n;
    const int limited = s->top_k > 0 && s->top_k < k->n;
    float reach = s->min_p > 0 ? (float)log(s->min_p) : -INFINITY;
    if (limited || s->top_p < 1) {
        /* top - 10 is enough nearly always. Counted, for a huge logit less 10 is itself. */
        for (int wider = 1;; wider++) {
            const float floor = wider < 5 ? top - 10.0f * (float)wider : -FLT_MAX;
            n = k->rows.gather(row, k->n, floor, k->maxima, k->ids, k->values);
            int enough = 1;
            if (limited)
                enough = n >= s->top_k;
            else if (s->top_p < 1) {
                k->rows.weights(k->values, n, top, 1.0f, k->weights);
                double mass = 0;
                for (int i = 0; i < n; i++)
                    mass += k->weights[i];
                enough = mass >= s->top_p * sum;
            }
            if (enough || wider == 5) /* then all but the impossible are there */
                break;
        }
        if (limited)
            n = keep_heaviest(k, n, NULL, s->top_k);
        if (s->top_p < 1) {
            k->rows.weights(k->values, n, top, 1.0f, k->weights);
            double mass = sum;
            if (limited) {
                mass = 0;
                for (int i = 0; i < n; i++)
                    mass += k->weights[i];
            }
            n = keep_heaviest(k, n, k->weights, s->top_p * mass);
        }
        int kept = 0;
        for (int i = 0; i < n; i++)
            if (k->values[i] >= top + reach) {
                k->ids[kept] = k->ids[i];
                k->values[kept++] = k->values[i];
            }
        n = kept;
    } else
        n = k->rows.gather(row, k->n, top + reach, k->maxima, k->ids, k->values);
    k->rows.weights(k->values, n, top, (float)(1.0 / s->temperature), k->weights);
    double mass = 0;
    for (int i = 0; i < n; i++)
        mass += k->weights[i];
    const int i = first_above(k->weights, n, j->u_draw * mass);
    j->token = k->ids[i];
    j->p = k->weights[i] / mass;
}

static void draw(kernel *k, const float *row, const settings *s, job *j, float top, int summed, double sum)
{
    if (s->temperature < 1e-4) {
        j->token = argmax(k, row, top);
        j->p = 1;
    } else if (s->top_k <= 0 && s->top_p >= 1 && s->min_p <= 0)
        draw_whole(k, row, s, j, top, summed && s->temperature == 1.0);
    else {
        if (s->top_p < 1 && !summed) {
            k->rows.sums(row, k->n, 1.0f, k->maxima, k->sums, k->slopes);
            sum = gather_sums(k, top, 1.0f, NULL);
        }
        draw_truncated(k, row, s, j, top, sum);
    }
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

static int fires(const settings *s, int top, const uint8_t *classes, int open)
{
    if (top < 0)
        return 0;
    if (s->content == PUNC)
        return (classes[top] & FORMAT) != 0;
    return s->content == FC && (classes[top] & FUNCTION) && (open || classes[top] & STARTS);
}

static int route(const settings *s, const job *j, const uint8_t *classes)
{
    const int from_base = s->content_source != FROM_ALIGNED && fires(s, j->top, classes, j->flags & OPEN);
    const int from_aligned = s->content != NO_CONTENT && s->content_source != FROM_BASE && j->flags & FORMATTED;
    if (from_base || from_aligned)
        return ALIGNED;
    switch (s->rule) {
    case ALWAYS:
        return BASE;
    case P:
        return j->top_p < s->threshold ? BASE : ALIGNED;
    case H:
        return j->entropy > s->threshold ? BASE : ALIGNED;
    case RAND:
        return j->u_route < s->threshold ? BASE : ALIGNED;
    case NUDGING:
        return j->top_p >= s->threshold ? BASE : ALIGNED;
    }
    return ALIGNED;
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
