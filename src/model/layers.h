/* layers.h - the contents of a layer's line, and the nodes that it appends to the graph. */
#ifndef FV_MODEL_LAYERS_H
#define FV_MODEL_LAYERS_H

#include "base/names.h"
#include "model/model.h"
#include "model/words.h"

#define FV_MAX_LAYERS     20000
#define FV_ATTR_MAX_BYTES 4096 /* of an operation's attributes */

/* A full name of a layer or a use, with room for a prefix, the word and the number of an automatic one. */
#define FV_LAYER_NAME_BYTES (FV_NAME_MAX_BYTES + 48)
#define FV_NO_NAME                                                                                           \
    "'%s' is no name: a letter or '_' first, then letters, digits, '_', '-' and single '.', at most %d"

/* A name that lines may refer to: a layer, or a use of a definition. */
typedef struct fv_named {
    const char *name, *kind; /* "layer1.0"; "relu", "use" */
    int line;
    int output;      /* tensor */
    int last_number; /* last number of automatic names that begin with this one */
} fv_named;

/* Counters for the automatic names of a layer word. */
typedef struct fv_counts {
    int n;    /* layers so far */
    int last; /* the number of the last automatic name */
} fv_counts;

/* The state of reading one text. */
typedef struct fv_parse {
    fv_context *ctx;
    fv_model *model;
    const char *text; /* all of it, NUL-terminated */
    size_t n_bytes;
    struct fv_outline *outline;
    fv_line line;
    fv_init init;                         /* the default for weights */
    int input_line, init_line, loss_line; /* 0: none yet */
    int current;                          /* the tensor that the next layer reads */
    int n_inputs;                         /* input lines so far */
    int result[FV_MAX_ENDS], n_results;   /* tensors of result lines */
    int n_kinds;                          /* layer words */
    const struct fv_text_scope *scope;    /* the present meaning of names: definitions.h */
    fv_names names;                       /* full names: numbers in `named` */
    fv_named *named;
    size_t n_named, named_capacity;
    struct fv_definition **definitions;
    size_t n_definitions, definition_capacity;
    int depth;      /* enclosing uses and repetitions of this line */
    int n_repeated; /* lines read in uses and repetitions so far */
} fv_parse;

/* The contents of one line. */
typedef struct fv_layer_words {
    char name[FV_LAYER_NAME_BYTES]; /* the full name */
    int count;
    fv_sizes window; /* n = 0: no window */
    fv_word window_word;
    const char *window_slot;
    int other[FV_MAX_INPUTS], n_others; /* tensors of the layers that the line names */
    bool bias;
    fv_init init;
    bool has_table;
    _Alignas(16) unsigned char table[FV_ATTR_MAX_BYTES]; /* attributes of fv_op_table */
    int init_column;                                     /* column of init= in the line; 0: it is missing */
    const char *tied; /* weights=: the layer whose parameters this one reads; NULL: it has its own */
    int tied_column;
    _Alignas(16) unsigned char attrs[FV_ATTR_MAX_BYTES]; /* the op's own struct */
} fv_layer_words;

/* layer_names.c: the full name for `name`, if it is valid and free; out has FV_LAYER_NAME_BYTES. */
fv_status fv__layer_name(fv_parse *p, const char *name, int column, char *out);
/* The first free name among "relu", "relu2", ... from number n on. Returns its number. */
int fv__layer_number_name(const fv_parse *p, const char *word, int n, char *out);
/* The name of a use that gives none: the definition's, with a number. */
fv_status fv__use_name(fv_parse *p, const char *definition, char *out);
fv_status fv__layer_name_add(fv_parse *p, const char *name, const char *kind, int output);
/* The earlier layer or use that the word at `column` names; `word` is the line's own. */
fv_status fv__layer_named(fv_parse *p, const char *word, const char *name, int column, fv_named *out);
/* The output of the earlier layer or use that the word at `column` names; `word` is the line's own. */
fv_status fv__layer_output(fv_parse *p, const char *word, const char *name, int column, int *tensor);

/* layer_line.c: reads the rest of the line as a layer of this kind and appends it. */
fv_status fv__layer_read(fv_parse *p, const fv_layer_kind *kind);
/* The keys of a line of this kind, up to `room` of them. Returns their number. */
int fv__layer_keys(const fv_layer_kind *kind, const char **keys, int room);
/* Appends the record of a layer, whose nodes and tensors begin at first_node and first_tensor. */
fv_status fv__layer_record(fv_parse *p, const char *kind, const char *name, size_t first_node,
                           size_t first_tensor);
/* Reads "he", or "normal" with its scale. `scale` NULL: missing. */
fv_status fv__init_read(const fv_line *line, int column, const char *kind, const char *scale,
                        int scale_column, fv_init *out);
/* layers.c: appends the layer that the line describes; *output is its output tensor. */
fv_status fv__layer_append(fv_parse *p, const fv_layer_kind *kind, fv_layer_words *words, int *output);
/* Appends a node of the present line that belongs to `layer`. */
fv_status fv__layer_node(fv_parse *p, const char *op, const char *name, const char *layer, int n_inputs,
                         const int *inputs, const void *attrs, int *output);

#endif
