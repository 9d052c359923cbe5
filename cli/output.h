/* output.h - standard output: JSON lines, grouped numbers, and the guarantee that lost output is an error. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "fovea.h"

/* Makes sure that descriptors 0 to 2 are open, so that no file of ours becomes standard output. SIGPIPE
 * keeps its effect: if nobody reads the output any longer, a command that has nothing to save ends
 * silently, as other tools do. */
void cli_streams_begin(void);
/* Flushes. Returns false, with the reason, if anything written to standard output was lost; *why is NULL if
 * it was a pipe without a reader, which needs no message (SIGPIPE was recorded or ignored). */
bool cli_streams_end(const char **why);
bool cli_output_lost(void);   /* true once a write has failed */
bool cli_output_closed(void); /* true once a write has failed because nobody reads */

/* One object: begin, members, end. `event` is the first member. */
void cli_json_begin(const char *event);
void cli_json_text(const char *key, const char *value); /* NULL: null */
void cli_json_whole(const char *key, int64_t value);
void cli_json_real(const char *key, double value); /* not finite: null */
void cli_json_bool(const char *key, bool value);
void cli_json_hash(const char *key, uint64_t value); /* "16 hex digits" */
void cli_json_wholes(const char *key, const int *values, int n);
void cli_json_reals(const char *key, const float *values, int n);
void cli_json_end(void);

/* A model's output for display: "97.3%" for a probability, "1.204" for a value. */
const char *cli_show_output(fv_output kind, double value, char spare[32]);
/* 61706 as "61,706"; the text is stored in `spare`. */
const char *cli_grouped(int64_t value, char spare[32]);
/* "1 epoch", "1,200 epochs" */
const char *cli_plural(int64_t count, const char *noun, char spare[32]);
/* 4700000 as "4.7 M"; unit may be "". */
const char *cli_scaled(double value, const char *unit, char spare[32]);

#endif
