/* train_options.c - the table of training options. The checks of fv_train, the command's options and help,
 * args.json, the record of a checkpoint and what a resumed run may change are made of it: an option is a
 * member of fv_train_options and a row here. */
#include "train/train.h"

#include <string.h>

#define MEMBER(name) .offset = offsetof(fv_train_options, name)

static const char *const schedules[] = {"constant", "step", "cosine", NULL}; /* in fv_schedule's order */

static const fv_train_option rows[] = {
    {"epochs", "epochs", FV_OPTION_COUNT, MEMBER(epochs), .min = 1, .max = FV_MAX_EPOCHS, .initial = 5,
     .argument = "N", .may_grow = true, .help = "passes over the training images"},
    {"batch", "batch", FV_OPTION_COUNT, MEMBER(batch), .max = FV_MAX_BATCH, .initial = 64, .zero = "all",
     .argument = "N|all", .help = "images per step; 1: stochastic"},
    {"lr", "lr", FV_OPTION_REAL, MEMBER(lr), .max = 1e6, .initial = 0.025, .argument = "X",
     .help = "learning rate"},
    {"momentum", "momentum", FV_OPTION_REAL, MEMBER(momentum), .max = 1, .initial = 0.9, .argument = "X",
     .help = "momentum of sgd and nesterov"},
    {"weight-decay", "weight_decay", FV_OPTION_REAL, MEMBER(weight_decay), .max = 1e6, .argument = "X",
     .help = "L2 penalty on weights, never on biases"},
    {"optimizer", "optimizer", FV_OPTION_TEXT, MEMBER(optimizer), .initial_text = "sgd", .argument = "NAME",
     .help = "update rule: sgd, nesterov, adam or adamw; with words of its own: "
             "adam:beta1=0.8"},
    {"schedule", "schedule", FV_OPTION_CHOICE, MEMBER(schedule), .max = FV_SCHEDULE_COSINE,
     .choices = schedules, .initial = FV_SCHEDULE_STEP, .argument = "NAME",
     .help = "course of the learning rate"},
    {"step-epochs", "step_epochs", FV_OPTION_COUNT, MEMBER(step_epochs), .min = 1, .max = FV_MAX_EPOCHS,
     .initial = 3, .argument = "N", .help = "schedule step: every N epochs ..."},
    {"step-factor", "step_factor", FV_OPTION_REAL, MEMBER(step_factor), .max = 1e6, .initial = 0.15,
     .argument = "X", .help = "... the rate is multiplied by X"},
    {"shift", "shift", FV_OPTION_COUNT, MEMBER(shift), .max = FV_MAX_SHIFT, .argument = "N",
     .help = "move each training image by up to N pixels"},
    {"seed", "seed", FV_OPTION_SEED, MEMBER(seed), .max = 0x1p64, .initial = 1, .argument = "N",
     .help = "seed of initialisation, order, dropout and shifts"},
    {"valid", "valid", FV_OPTION_COUNT, MEMBER(n_valid), .max = FV_MAX_VALID, .argument = "N",
     .help = "hold out the last N training images"},
};

const fv_train_option *fv__train_option_at(int index)
{
    return index >= 0 && index < (int)(sizeof rows / sizeof *rows) ? &rows[index] : NULL;
}

fv_train_options fv__train_options_default(void)
{
    fv_train_options options;
    memset(&options, 0, sizeof options);
    for (const fv_train_option *o = rows; o < rows + sizeof rows / sizeof *rows; o++) {
        void *const at = (char *)&options + o->offset;
        switch (o->type) {
        case FV_OPTION_COUNT:
        case FV_OPTION_CHOICE:
            *(int *)at = (int)o->initial;
            break;
        case FV_OPTION_REAL:
            *(double *)at = o->initial;
            break;
        case FV_OPTION_SEED:
            *(uint64_t *)at = (uint64_t)o->initial;
            break;
        case FV_OPTION_TEXT:
            *(const char **)at = o->initial_text;
            break;
        }
    }
    return options;
}

fv_status fv__train_options_check(fv_context *ctx, const fv_train_options *options)
{
    fv_optimizer_choice optimizer;
    for (const fv_train_option *o = rows; o < rows + sizeof rows / sizeof *rows; o++) {
        const void *const at = (const char *)options + o->offset;
        if (o->type == FV_OPTION_SEED || o->type == FV_OPTION_TEXT)
            continue;
        const double value = o->type == FV_OPTION_REAL ? *(const double *)at : *(const int *)at;
        if (!(value >= o->min && value <= o->max))
            return fv__fail(ctx, FV_ERR_ARGUMENT, "%s: expected %s to %s, found %s", o->word,
                            fv__general(o->min, 10).text, fv__general(o->max, 10).text,
                            fv__general(value, 10).text);
    }
    return fv__optimizer_read(ctx, options->optimizer ? options->optimizer : "", &optimizer);
}
