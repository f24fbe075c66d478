/* Draws a token from a row of logits: by temperature, top-k, top-p and min-p, without sorting
 * the vocabulary.
 */
#include <float.h>
#include <string.h>

#include "kernel.h"

/* The first entry equal to the row's maximum. */
int argmax(const kernel *k, const float *row, float top)
{
    for (int b = 0; b < k->blocks; b++)
        if (k->maxima[b] == top)
            for (int i = b * BLOCK; i < k->n; i++)
                if (row[i] == top)
                    return i;
    return -1;
}

/* total = sum over the row of exp((x - top) * scale), slope = the same times its exponent. */
double gather_sums(const kernel *k, float top, float scale, double *slope)
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

void draw(kernel *k, const float *row, const settings *s, job *j, float top, int summed, double sum)
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
