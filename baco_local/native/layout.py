"""The memory layout that the C kernel and its numpy twin share: token classes, jobs, settings.

Names and values repeat those of kernel.h.
"""

import struct

import numpy as np

# Token classes: one byte per vocabulary entry, or-ed together.
STARTS = 1  # begins with whitespace, or is punctuation, or ends the generation
END = 2  # end of generation, or a control token that text can't contain
FORMAT = 4  # what the `punc` rule leaves to aligned: punctuation, whitespace, markup, special
FUNCTION = 8  # begins a function word

# Flags of a job.
OPEN = 1  # the text ends outside a word: every piece starts one
UNFINISHED = 2  # the text ends inside a UTF-8 character: no piece starts a word
RESTRICT = 4  # draw only among pieces that start a word
FORMATTED = 8  # the content rule fires on the aligned model's top piece

# Actions of a job.
DRAW = 0  # draw a token
DRAW_ROUTE = 1  # draw a token; where it starts a word, name a speaker
ROUTE_DRAW = 2  # name a speaker; if it is base, draw a token
LOOK = 3  # only find the top token
READ = 4  # only read the row, its sum becomes `p`: what no kernel can be faster than

# Settings: content rule, whose top token it looks at, logit rule.
NO_CONTENT, PUNC, FC = 0, 1, 2
FROM_BASE, FROM_ALIGNED, FROM_EITHER = 0, 1, 2
ALWAYS, NEVER, P, H, RAND, NUDGING = 0, 1, 2, 3, 4, 5

UNROUTED, BASE, ALIGNED = -1, 0, 1

JOB = np.dtype(
    [
        ("row", "u8"),  # address of the row of logits
        ("side", "i4"),  # whose vocabulary it is over
        ("action", "i4"),
        ("flags", "i4"),
        ("n_penalised", "i4"),
        ("penalised", "i8"),
        ("u_draw", "f8"),
        ("u_route", "f8"),
        # results
        ("p", "f8"),  # probability of `token` under the distribution it was drawn from
        ("top_p", "f8"),  # of the raw logits; 0 where no routing was asked for
        ("entropy", "f8"),  # nats, of the raw logits
        ("token", "i4"),  # -1: nothing drawn
        ("top", "i4"),  # argmax of the raw logits; -1: the row holds nothing usable
        ("speaker", "i4"),
        ("starts", "i4"),
    ],
    align=True,
)

# The same, for packing what is asked of one job and unpacking what was found: ten times as fast
# as assigning to numpy's fields one by one.
ASKED = struct.Struct("=Qiiiiqdd")
FOUND = struct.Struct("=dddiiii")
FOUND_AT = 48

SETTINGS = np.dtype(
    [
        ("temperature", "f8"),
        ("top_p", "f8"),
        ("min_p", "f8"),
        ("repeat", "f8"),
        ("frequency", "f8"),
        ("presence", "f8"),
        ("threshold", "f8"),
        ("top_k", "i4"),
        ("content", "i4"),
        ("content_source", "i4"),
        ("rule", "i4"),
    ],
    align=True,
)
