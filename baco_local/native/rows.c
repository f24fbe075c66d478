/* What the kernel does to one row of logits, written once with compiler vectors
 * and compiled once per instruction set (CMakeLists.txt passes the flags, SUFFIX
 * and WIDTH, the bytes of a register).
 *
 * A row is cut into blocks of BLOCK entries that stay in the L1 cache: the block's
 * maximum is found while it arrives from memory, its exponentials are summed right
 * after, relative to that maximum. So one trip to memory is enough, and a draw
 * re-reads a single block instead of the row.
 */
#include "rows.h"

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define NAME(f) JOIN(f, SUFFIX)

typedef float vec __attribute__((vector_size(WIDTH)));
typedef int32_t ivec __attribute__((vector_size(WIDTH)));
enum { LANES = WIDTH / 4, UNROLL = 4 };

static inline vec splat(float x) { return (vec){0} + x; }

static inline vec load(const float *p)
{
    vec v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

static inline vec pick(ivec mask, vec yes, vec no)
{
    return (vec)((mask & (ivec)yes) | (~mask & (ivec)no));
}

/* NaN compares false, so it never wins. */
static inline vec larger(vec x, vec best) { return pick(x > best, x, best); }

static inline float widest(vec v)
{
    float best = v[0];
    for (int i = 1; i < LANES; i++)
        best = v[i] > best ? v[i] : best;
    return best;
}

static inline double total(vec v)
{
    double sum = 0;
    for (int i = 0; i < LANES; i++)
        sum += v[i];
    return sum;
}

/* exp(d) for d <= 0, and d itself in *kept. Both are 0 below -87 and for NaN (0 * -inf would be NaN). */
#ifdef __AVX512F__
/* 2^k * 2^r, and AVX-512 scales by 2^k in one instruction; 2^r within 4e-6. */
static inline vec exponential(vec d, vec *kept)
{
    const __mmask16 alive = _mm512_cmp_ps_mask((__m512)d, _mm512_set1_ps(-87.0f), _CMP_GT_OQ);
    const __m512 x = _mm512_maskz_mov_ps(alive, (__m512)d);
    const __m512 t = _mm512_mul_ps(x, _mm512_set1_ps(1.44269504f));
    const __m512 k = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT);
    const __m512 r = _mm512_sub_ps(t, k);
    __m512 p = _mm512_set1_ps(9.57009666e-3f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.59178599e-2f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(2.40247450e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(6.93121815e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    *kept = (vec)x;
    return (vec)_mm512_maskz_scalef_ps(alive, p, k);
}
#else
/* 2^k * e^r with k = round(d / ln 2): adding 1.5 * 2^23 rounds k into the low mantissa bits,
 * from where a shift makes it an exponent; within 2 ulp. */
static inline vec exponential(vec d, vec *kept)
{
    const ivec alive = d > splat(-87.0f);
    d = pick(alive, d, splat(0.0f));
    const vec magic = splat(12582912.0f);
    const vec shifted = d * splat(1.44269504f) + magic;
    const vec k = shifted - magic;
    const vec r = d - k * splat(0.693359375f) + k * splat(2.12194440e-4f);
    vec p = splat(1.9875691500e-4f);
    p = p * r + splat(1.3981999507e-3f);
    p = p * r + splat(8.3334519073e-3f);
    p = p * r + splat(4.1665795894e-2f);
    p = p * r + splat(1.6666665459e-1f);
    p = p * r + splat(5.0000001201e-1f);
    p = p * r * r + r + splat(1.0f);
    *kept = d;
    return (vec)(((ivec)p + ((ivec)shifted << 23)) & alive);
}
#endif

/* One whole block, or the last one copied to a buffer padded with -inf. */
static inline const float *block_of(const float *row, int n, int b, float *padded)
{
    const int start = b * BLOCK;
    if (start + BLOCK <= n)
        return row + start;
    const int rest = n - start;
    __builtin_memcpy(padded, row + start, (size_t)rest * sizeof(float));
    for (int i = rest; i < BLOCK; i++)
        padded[i] = -INFINITY;
    return padded;
}

static inline float block_max(const float *x)
{
    vec best[UNROLL];
    for (int u = 0; u < UNROLL; u++)
        best[u] = splat(-INFINITY);
    for (int i = 0; i < BLOCK; i += LANES * UNROLL)
        for (int u = 0; u < UNROLL; u++)
            best[u] = larger(load(x + i + u * LANES), best[u]);
    return widest(larger(larger(best[0], best[1]), larger(best[2], best[3])));
}

/* maxima[b] = maximum of block b; returns the maximum of the row. */
float NAME(row_maxima)(const float *row, int n, float *maxima)
{
    float padded[BLOCK], best = -INFINITY;
    for (int b = 0; b * BLOCK < n; b++) {
        maxima[b] = block_max(block_of(row, n, b, padded));
        best = maxima[b] > best ? maxima[b] : best;
    }
    return best;
}

/* As row_maxima, and per block, with d = (x - maxima[b]) * scale:
 * sums[b] = sum of exp(d), slopes[b] = sum of exp(d) * d (for the entropy). */
float NAME(row_sums)(const float *row, int n, float scale, float *maxima, double *sums, double *slopes)
{
    float padded[BLOCK], best = -INFINITY;
    const vec factor = splat(scale);
    for (int b = 0; b * BLOCK < n; b++) {
        const float *x = block_of(row, n, b, padded);
        const float top = block_max(x);
        maxima[b] = top;
        sums[b] = slopes[b] = 0;
        if (!(top > -INFINITY))
            continue;
        best = top > best ? top : best;
        const vec anchor = splat(top);
        vec sum[UNROLL] = {{0}}, slope[UNROLL] = {{0}};
        for (int i = 0; i < BLOCK; i += LANES * UNROLL)
            for (int u = 0; u < UNROLL; u++) {
                vec d;
                const vec e = exponential((load(x + i + u * LANES) - anchor) * factor, &d);
                sum[u] += e;
                slope[u] += e * d;
            }
        sums[b] = total((sum[0] + sum[1]) + (sum[2] + sum[3]));
        slopes[b] = total((slope[0] + slope[1]) + (slope[2] + slope[3]));
    }
    return best;
}

/* weights[i] = exp((x[i] - anchor) * scale) for n entries. */
void NAME(row_weights)(const float *x, int n, float anchor, float scale, float *weights)
{
    for (int i = 0; i < n; i += LANES) {
        const int width = n - i < LANES ? n - i : LANES;
        vec v = splat(-INFINITY);
        __builtin_memcpy(&v, x + i, (size_t)width * sizeof(float));
        vec kept;
        const vec e = exponential((v - splat(anchor)) * splat(scale), &kept);
        __builtin_memcpy(weights + i, &e, (size_t)width * sizeof(float));
    }
}

/* Appends id and value of every entry >= floor, in order of id; returns how many. */
int NAME(row_gather)(const float *row, int n, float floor, const float *maxima, int32_t *ids, float *values)
{
    int found = 0;
    const vec bound = splat(floor);
    for (int b = 0; b * BLOCK < n; b++) {
        if (!(maxima[b] >= floor))
            continue;
        const int end = (b + 1) * BLOCK < n ? (b + 1) * BLOCK : n;
        int i = b * BLOCK;
        for (; i + LANES <= end; i += LANES) {
            const ivec hit = load(row + i) >= bound;
            int64_t half[WIDTH / 8], any = 0;
            __builtin_memcpy(half, &hit, sizeof half);
            for (int h = 0; h < WIDTH / 8; h++)
                any |= half[h];
            if (!any)
                continue;
            for (int j = i; j < i + LANES; j++)
                if (row[j] >= floor) {
                    ids[found] = j;
                    values[found++] = row[j];
                }
        }
        for (; i < end; i++)
            if (row[i] >= floor) {
                ids[found] = i;
                values[found++] = row[i];
            }
    }
    return found;
}

/* The sum of the row: a plain reading of it, for measuring. */
float NAME(row_read)(const float *row, int n)
{
    vec sum[UNROLL] = {{0}};
    for (int i = 0; i + LANES * UNROLL <= n; i += LANES * UNROLL)
        for (int u = 0; u < UNROLL; u++)
            sum[u] += load(row + i + u * LANES);
    return (float)total((sum[0] + sum[1]) + (sum[2] + sum[3]));
}
