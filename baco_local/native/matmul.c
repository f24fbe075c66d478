/* Quantised weights times 2 to 32 rows of activations, which is what writing many variants
 * at once asks for and where llama.cpp's x86 code is weakest: it takes the rows one by one or
 * in tiles of four, and sums each dot product across a register.
 *
 * Here a register holds one value of each row. Four weights (four bytes) are broadcast and
 * multiplied with the same four places of 8 or 16 rows in one instruction, four rows of
 * weights at a time, so that nothing is ever summed across and weights are read once.
 * Activations are rounded to whole numbers as ggml does (Q8_0, Q8_1 and Q8_K), and their dot
 * products with weights are exact; only the order of the additions of blocks differs from ggml's.
 *
 * Compiled once per instruction set: CMakeLists.txt passes SUFFIX, WIDTH (bytes of a
 * register) and the flags.
 */
#include "matmul.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#define JOIN2(a, b) product_##a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define NAME(f) JOIN(f, SUFFIX)
#define INLINE static inline __attribute__((always_inline))

#if WIDTH == 64
typedef __m512i ivec;
typedef __m512 fvec;
#define OP(f) _mm512_##f
#define LOAD_INTS(p) _mm512_loadu_si512(p)
#else
typedef __m256i ivec;
typedef __m256 fvec;
#define OP(f) _mm256_##f
#define LOAD_INTS(p) _mm256_loadu_si256((const __m256i *)(p))
#endif
enum { LANES = WIDTH / 4, BIAS = 128 };

/* dot4: every lane's four unsigned bytes of x times the same four signed bytes at w, added to acc.
 * dot8: the same for 32 bytes each. AVX-512 reads and broadcasts w within the instruction, which
 * compilers undo when left to themselves. Plain AVX2 adds pairs in 16 bits on the way, which
 * overflows for weights of 8 bits; there x is signed, too, and its sign moved (`signed_x`). */
#if WIDTH == 64
#define SPREAD_DOT "vpdpbusd %2%{1to16%}, %1, %0"
#elif defined(__AVX512VNNI__)
#define SPREAD_DOT "vpdpbusd %2%{1to8%}, %1, %0"
#endif

INLINE int signed_x(int type)
{
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
    (void)type;
    return 0;
#else
    return type == Q8_0;
#endif
}

INLINE __m256i dot8(int type, __m256i acc, __m256i x, __m256i w)
{
#if defined(__AVX512VNNI__)
    (void)type;
    return _mm256_dpbusd_epi32(acc, x, w);
#elif defined(__AVXVNNI__)
    (void)type;
    return _mm256_dpbusd_avx_epi32(acc, x, w);
#else
    const __m256i pairs = signed_x(type) ? _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w))
                                         : _mm256_maddubs_epi16(x, w);
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#endif
}

INLINE ivec dot4(int type, ivec acc, ivec x, const int8_t *w)
{
#ifdef SPREAD_DOT
    (void)type;
    __asm__(SPREAD_DOT : "+v"(acc) : "v"(x), "m"(*(const int8_t(*)[4])w));
    return acc;
#else
    int32_t four;
    memcpy(&four, w, 4);
    return dot8(type, acc, x, _mm256_set1_epi32(four));
#endif
}

INLINE float half(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, 2);
    return _cvtsh_ss(h);
}

INLINE float widest(__m256 v)
{
    __m128 best = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    best = _mm_max_ps(best, _mm_movehl_ps(best, best));
    return _mm_cvtss_f32(_mm_max_ss(best, _mm_movehdup_ps(best)));
}

INLINE int total(__m256i v)
{
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xB1)));
}

/* One row of x into its lane. acts: [group][k / 4][LANES][4] bytes with BIAS added;
 * scales, sums: [group][k / block][LANES]; a block is 32 values, or 256 for Q6_K. */
void NAME(quantise)(const product *p, int row)
{
    const int size = p->type == Q6_K ? 256 : 32, group = row / LANES, lane = row % LANES;
    const float *x = p->x + (size_t)row * p->x_stride;
    uint8_t *acts = p->acts + (size_t)group * p->k * LANES + (size_t)lane * 4;
    float *scales = p->scales + (size_t)group * (p->k / size) * LANES + lane;
    float *sums = p->sums + (scales - p->scales);
    const __m256i bias = _mm256_set1_epi8(signed_x(p->type) ? 0 : (char)BIAS);
    for (int b = 0; b < p->k / size; b++, x += size, scales += LANES, sums += LANES) {
        __m256 biggest = _mm256_setzero_ps(), odd = _mm256_setzero_ps();
        for (int i = 0; i < size; i += 8) {
            const __m256 v = _mm256_loadu_ps(x + i);
            biggest = _mm256_max_ps(biggest, _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v));
            odd = _mm256_fmadd_ps(v, _mm256_setzero_ps(), odd); /* NaN where v is NaN or infinite */
        }
        const float top = widest(biggest);
        float factor = 0;
        *scales = 0;
        if (top > 0 && size == 32) { /* Q8_0, Q8_1 */
            factor = 127.0f / top;
            *scales = _cvtsh_ss(_cvtss_sh(top / 127.0f, 0));
        } else if (top > 0) { /* Q8_K: the widest value becomes -127 */
            int i = 0;
            while (i < size - 1 && fabsf(x[i]) != top)
                i++;
            factor = -127.0f / x[i];
            *scales = 1 / factor;
        }
        if (_mm256_movemask_ps(_mm256_cmp_ps(odd, odd, _CMP_UNORD_Q)))
            *scales = NAN; /* a broken model must show */
        __m256i sum = _mm256_setzero_si256();
        for (int i = 0; i < size; i += 32) {
            __m256i q[4];
            for (int j = 0; j < 4; j++) {
                q[j] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i + 8 * j), _mm256_set1_ps(factor)));
                sum = _mm256_add_epi32(sum, q[j]);
            }
            __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3]));
            bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
            int32_t fours[8];
            _mm256_storeu_si256((__m256i *)fours, _mm256_xor_si256(bytes, bias));
            for (int j = 0; j < 8; j++, acts += LANES * 4)
                memcpy(acts, fours + j, 4);
        }
        *sums = *scales * (float)total(sum);
    }
}

/* 16 bytes of two weights each: the low halves, then the high ones. */
INLINE __m256i nibbles(const uint8_t *qs)
{
    const __m128i raw = _mm_loadu_si128((const __m128i *)qs);
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(raw), _mm_srli_epi16(raw, 4), 1);
    return _mm256_and_si256(_mm256_set1_epi8(15), both);
}

/* The whole numbers of one block of 32 weights, as signed bytes. */
INLINE __m256i unpack(int type, const uint8_t *block)
{
    if (type == Q8_0)
        return _mm256_loadu_si256((const __m256i *)(block + 2));
    if (type == Q4_1)
        return nibbles(block + 4);
    /* Q5_0: bit i of the four bytes is the fifth bit of weight i; the weight is that less 16 */
    int32_t fifth;
    memcpy(&fifth, block + 2, 4);
    const __m256i byte = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201ull);
    const __m256i spread = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(fifth), byte), bit);
    const __m256i less = _mm256_andnot_si256(_mm256_cmpeq_epi8(spread, bit), _mm256_set1_epi8((char)0xF0));
    return _mm256_or_si256(nibbles(block + 6), less);
}

/* Q6_K: 32 weights of a half block of 128, less 32 each. ql: 64 bytes of low, qh: 32 of high bits. */
INLINE __m256i unpack_six(const uint8_t *ql, const uint8_t *qh, int part)
{
    __m256i low = _mm256_loadu_si256((const __m256i *)(ql + 32 * (part & 1)));
    __m256i high = _mm256_loadu_si256((const __m256i *)qh);
    low = part & 2 ? _mm256_srli_epi16(low, 4) : low;
    high = _mm256_slli_epi16(_mm256_srli_epi16(high, 2 * part), 4);
    const __m256i all = _mm256_or_si256(_mm256_and_si256(low, _mm256_set1_epi8(15)),
                                        _mm256_and_si256(high, _mm256_set1_epi8(48)));
    return _mm256_sub_epi8(all, _mm256_set1_epi8(32));
}

/* COLUMNS / 4 of these make a tile: four columns of one group of rows. */
INLINE void four(const product *p, int type, int group, int first, float (*tile)[LANES])
{
    const int blocks = p->k / 32;
    const size_t bytes = type == Q8_0 ? 34 : type == Q5_0 ? 22 : 20;
    const uint8_t *weights = p->weights + (size_t)first * p->row_bytes;
    const uint8_t *acts = p->acts + (size_t)group * p->k * LANES;
    const float *scales = p->scales + (size_t)group * blocks * LANES;
    const float *sums = p->sums + (scales - p->scales);
    fvec out[4] = {{0}};
    for (int b = 0; b < blocks; b++, weights += bytes, acts += 32 * LANES, scales += LANES, sums += LANES) {
        int8_t room[4][32] __attribute__((aligned(32)));
        const int8_t *w[4];
        __m256i bias[4]; /* BIAS * (sum of the weights), in eight parts */
        for (int i = 0; i < 4; i++) {
            const uint8_t *block = weights + i * p->row_bytes;
            __builtin_prefetch(block + 8 * p->row_bytes);
            const __m256i all = unpack(type, block);
            bias[i] = dot8(Q4_1, _mm256_setzero_si256(), _mm256_set1_epi8((char)BIAS), all);
            w[i] = (const int8_t *)block + 2;
            if (type != Q8_0) {
                _mm256_store_si256((__m256i *)room[i], all);
                w[i] = room[i];
            }
        }
        ivec acc[4] = {{0}};
        if (!signed_x(type)) {
            const __m256i pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(bias[0], bias[1]), _mm256_hadd_epi32(bias[2], bias[3]));
            __m128i less = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
            less = _mm_sub_epi32(_mm_setzero_si128(), less);
            acc[0] = OP(broadcastd_epi32)(less);
            acc[1] = OP(broadcastd_epi32)(_mm_srli_si128(less, 4));
            acc[2] = OP(broadcastd_epi32)(_mm_srli_si128(less, 8));
            acc[3] = OP(broadcastd_epi32)(_mm_srli_si128(less, 12));
        }
        __asm__ volatile("" : : "r"(room) : "memory"); /* `room` is read from memory */
#pragma GCC unroll 8
        for (int q = 0; q < 8; q++) {
            const ivec x = LOAD_INTS(acts + q * 4 * LANES);
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                acc[i] = dot4(type, acc[i], x, w[i] + 4 * q);
        }
        const fvec scale = OP(loadu_ps)(scales);
        for (int i = 0; i < 4; i++) {
            const uint8_t *block = weights + i * p->row_bytes;
            out[i] = OP(fmadd_ps)(OP(cvtepi32_ps)(acc[i]), OP(mul_ps)(scale, OP(set1_ps)(half(block))), out[i]);
            if (type == Q4_1) /* weight = scale * number + offset */
                out[i] = OP(fmadd_ps)(OP(loadu_ps)(sums), OP(set1_ps)(half(block + 2)), out[i]);
        }
    }
    for (int i = 0; i < 4; i++)
        OP(storeu_ps)(tile[i], out[i]);
}

/* The same for Q6_K: blocks of 256 weights, every 16 of them with a scale of their own. */
INLINE void four_six(const product *p, int group, int first, float (*tile)[LANES])
{
    const int blocks = p->k / 256;
    const uint8_t *weights = p->weights + (size_t)first * p->row_bytes;
    const uint8_t *acts = p->acts + (size_t)group * p->k * LANES;
    const float *scales = p->scales + (size_t)group * blocks * LANES;
    fvec out[4] = {{0}};
    for (int b = 0; b < blocks; b++, weights += 210, scales += LANES) {
        fvec sum[4] = {{0}};
        for (int part = 0; part < 8; part++, acts += 32 * LANES) {
            int8_t room[4][32] __attribute__((aligned(32)));
            int32_t bias[4][8]; /* BIAS * (sum of 16 weights), at 0 and 4 */
            for (int i = 0; i < 4; i++) {
                const uint8_t *block = weights + i * p->row_bytes;
                __builtin_prefetch(block + 4 * p->row_bytes + part * 26);
                const __m256i all = unpack_six(block + 64 * (part / 4), block + 128 + 32 * (part / 4), part % 4);
                _mm256_store_si256((__m256i *)room[i], all);
                __m256i each = dot8(Q6_K, _mm256_setzero_si256(), _mm256_set1_epi8((char)BIAS), all);
                each = _mm256_hadd_epi32(each, each);
                _mm256_storeu_si256((__m256i *)bias[i], _mm256_hadd_epi32(each, each));
            }
            __asm__ volatile("" : : "r"(room) : "memory");
            for (int side = 0; side < 2; side++) {
                ivec acc[4];
                for (int i = 0; i < 4; i++)
                    acc[i] = OP(set1_epi32)(-bias[i][4 * side]);
#pragma GCC unroll 4
                for (int q = 0; q < 4; q++) {
                    const ivec x = LOAD_INTS(acts + (size_t)(side * 4 + q) * 4 * LANES);
#pragma GCC unroll 4
                    for (int i = 0; i < 4; i++)
                        acc[i] = dot4(Q6_K, acc[i], x, room[i] + 16 * side + 4 * q);
                }
                for (int i = 0; i < 4; i++) {
                    const float scale = (int8_t)weights[i * p->row_bytes + 192 + 2 * part + side];
                    sum[i] = OP(fmadd_ps)(OP(cvtepi32_ps)(acc[i]), OP(set1_ps)(scale), sum[i]);
                }
            }
        }
        const fvec scale = OP(loadu_ps)(scales);
        for (int i = 0; i < 4; i++) {
            const fvec both = OP(mul_ps)(scale, OP(set1_ps)(half(weights + i * p->row_bytes + 208)));
            out[i] = OP(fmadd_ps)(sum[i], both, out[i]);
        }
    }
    for (int i = 0; i < 4; i++)
        OP(storeu_ps)(tile[i], out[i]);
}

/* out[r][first .. first + COLUMNS - 1] for every row r. */
void NAME(tile)(const product *p, int first)
{
    float tile[COLUMNS][LANES] __attribute__((aligned(64)));
    for (int group = 0; group * LANES < p->rows; group++) {
        for (int i = 0; i < COLUMNS; i += 4)
            if (p->type == Q8_0)
                four(p, Q8_0, group, first + i, tile + i);
            else if (p->type == Q5_0)
                four(p, Q5_0, group, first + i, tile + i);
            else if (p->type == Q4_1)
                four(p, Q4_1, group, first + i, tile + i);
            else
                four_six(p, group, first + i, tile + i);
        for (int lane = 0; lane < LANES && group * LANES + lane < p->rows; lane++) {
            float *out = p->out + (size_t)(group * LANES + lane) * p->out_stride + first;
            for (int i = 0; i < COLUMNS; i++)
                out[i] = tile[i][lane];
        }
    }
}
