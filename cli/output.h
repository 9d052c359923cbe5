/* output.h - standard output: JSON lines, grouped numbers, and the guarantee that what could not be
 * written is an error. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "fovea.h"

/* Makes sure that descriptors 0 to 2 are taken, so that no file of ours becomes somebody's standard
 * output. SIGPIPE is left as it is: where nobody reads the output any longer, a command that has nothing to
 * save ends of it silently, as other tools do. */
void cli_streams_begin(void);
/* Writes what is left. False, and why, where anything written to standard output was lost; *why is NULL where
 * that was a pipe that nobody reads, which is no news to anybody (SIGPIPE was noted or ignored). */
bool cli_streams_end(const char **why);
bool cli_output_lost(void);   /* true once a write has failed */
bool cli_output_closed(void); /* true once one has failed because nobody reads it */

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

/* A model's output for people: "97.3%" of a probability, "1.204" of a value. */
const char *cli_show_output(fv_output kind, double value, char spare[32]);
/* 61706 as "61,706"; the text lives in `spare`. */
const char *cli_grouped(int64_t value, char spare[32]);
/* "1 epoch", "1,200 epochs" */
const char *cli_plural(int64_t count, const char *noun, char spare[32]);
/* 4700000 as "4.7 M"; unit may be "". */
const char *cli_scaled(double value, const char *unit, char spare[32]);

#endif
