/* Cuts one product into groups of rows that fill a register, and shares it among the threads. */
#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "products.h"

#ifdef _WIN32
#define give_way() (void)0
#else
#include <sched.h>
#define give_way() sched_yield()
#endif

enum { PATIENCE = 10000 };

int choose_products(const char *level, choice *c)
{
#ifdef BACO_X86
    __builtin_cpu_init();
    const int any = !*level, avx512 = any || !strcmp(level, "avx512");
    if (avx512 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw")) {
        *c = (choice){PRODUCTS(vnni512, 16), PRODUCTS(vnni256, 8)};
        return 1;
    }
#ifdef BACO_AVXVNNI
    if (any && __builtin_cpu_supports("avxvnni") && __builtin_cpu_supports("fma")) {
        *c = (choice){{0}, PRODUCTS(avxvnni, 8)};
        return 1;
    }
#endif
    if ((any || !strcmp(level, "avx2")) && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        *c = (choice){{0}, PRODUCTS(avx2, 8)};
        return 1;
    }
#endif
    (void)level, (void)c;
    return 0;
}

/* The rows of one product in one or two parts: whole wide groups, and the rest. */
typedef struct {
    product parts[2];
    product_functions functions[2];
    int n_parts, rows, chunk;
    int next_row, ready_rows, next_column; /* handed out to the threads */
} job;

static void work(void *data)
{
    job *j = data;
    for (int r; (r = __atomic_fetch_add(&j->next_row, 1, __ATOMIC_RELAXED)) < j->rows;) {
        const int second = r >= j->parts[0].rows;
        j->functions[second].quantise(&j->parts[second], second ? r - j->parts[0].rows : r);
        __atomic_fetch_add(&j->ready_rows, 1, __ATOMIC_RELEASE);
    }
    for (int turns = 0; __atomic_load_n(&j->ready_rows, __ATOMIC_ACQUIRE) < j->rows; turns++)
        if (turns > PATIENCE) /* another program has the other thread's core */
            give_way();
    const int n = j->parts[0].n;
    for (int c; (c = __atomic_fetch_add(&j->next_column, j->chunk, __ATOMIC_RELAXED)) < n;)
        for (int i = c; i < c + j->chunk && i < n; i += COLUMNS)
            for (int part = 0; part < j->n_parts; part++)
                j->functions[part].tile(&j->parts[part], i);
}

int compute_product(scratch *s, const choice *c, tensor *t)
{
    const tensor *w = t->src[0], *x = t->src[1];
    const int rows = (int)x->ne[1], over = rows % 16;
    const int first = c->wide.lanes ? rows - (over <= 8 ? over : 0) : rows;
    job j = {.rows = rows, .n_parts = 0};
    const product whole = {.type = w->type, .k = (int)w->ne[0], .n = (int)w->ne[1], .weights = w->data, .row_bytes = w->nb[1],
                           .x = x->data, .x_stride = x->nb[1] / 4, .out = t->data, .out_stride = t->nb[1] / 4};
    for (int at = 0; at < rows; j.n_parts++) {
        product *p = &j.parts[j.n_parts];
        *p = whole;
        j.functions[j.n_parts] = c->wide.lanes && at < first ? c->wide : c->narrow;
        p->rows = at < first ? first : rows - at;
        p->x += (size_t)at * p->x_stride;
        p->out += (size_t)at * p->out_stride;
        at += p->rows;
    }
    size_t need = 0, sizes[2];
    for (int part = 0; part < j.n_parts; part++) {
        const size_t lanes = (size_t)j.functions[part].lanes;
        const size_t padded = ((size_t)j.parts[part].rows + lanes - 1) / lanes * lanes * (size_t)whole.k;
        need += sizes[part] = padded + 2 * (padded / 32 * sizeof(float)); /* whole cache lines */
    }
    if (need > s->size) {
        free(s->memory);
        s->size = 0;
        s->memory = calloc(1, need + 64);
        if (!s->memory)
            return NO_MEMORY;
        s->size = need;
    }
    uint8_t *room = (uint8_t *)(((uintptr_t)s->memory + 63) & ~(uintptr_t)63);
    for (int part = 0; part < j.n_parts; part++) {
        product *p = &j.parts[part];
        const size_t padded = sizes[part] / 5 * 4; /* bytes; a fifth is for the two floats per 32 */
        p->acts = room;
        p->scales = (float *)(room + padded);
        p->sums = p->scales + padded / 32;
        room += sizes[part];
    }
    /* chunks small enough for both threads to end together, and never a part of a tile */
    j.chunk = whole.n / (s->threads * 8) / COLUMNS * COLUMNS;
    j.chunk = j.chunk < COLUMNS ? COLUMNS : j.chunk > 1024 ? 1024 : j.chunk;
    run_parallel(work, &j, s->threads);
    return SUCCESS;
}
