/* token_args.h - part of args.h: what the kernels of sequences [channels][tokens] are given. */
#ifndef FV_KERNELS_TOKEN_ARGS_H
#define FV_KERNELS_TOKEN_ARGS_H

/* n tokens from `from` on of one sequence are copied to `to` of another, whose other tokens are 0. */
typedef struct fv_tokens_args {
    int channels, from_tokens, to_tokens;
    int from, to, n;
} fv_tokens_args;

/* The first n tokens of a sequence. */
typedef struct fv_tokens_sum_args {
    int channels, tokens, n;
} fv_tokens_sum_args;

/* Queries, keys and values of all heads stacked: qkv [3 * channels][tokens]; a head has `size` channels.
 * The first `queries` tokens are the queries. */
typedef struct fv_attention_args {
    int heads, size, tokens, queries;
    float scale;   /* of the scores: 1 / sqrt(size) */
    int at_a_time; /* queries whose scores the forward kernel keeps at a time; of fv_blocks */
} fv_attention_args;

#endif
