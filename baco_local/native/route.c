/* Who writes the next word: the content rules, then the rule with the threshold (arXiv 2511.05650,
 * section 3).
 */
#include "kernel.h"

static int fires(const settings *s, int top, const uint8_t *classes, int open)
{
    if (top < 0)
        return 0;
    if (s->content == PUNC)
        return (classes[top] & FORMAT) != 0;
    return s->content == FC && (classes[top] & FUNCTION) && (open || classes[top] & STARTS);
}

int route(const settings *s, const job *j, const uint8_t *classes)
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
