/* commands.h - the commands, and functions that several of them share. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "progress.h"
#include "session.h"

extern const cli_command cli_command_train, cli_command_eval, cli_command_predict, cli_command_info,
    cli_command_check, cli_command_bench, cli_command_models, cli_command_demo, cli_command_version,
    cli_command_data;
extern const cli_command *const cli_commands[]; /* NULL-terminated, in the order of the help text */

/* Training, shared by train and demo. */
typedef struct cli_training {
    fv_model *model;
    fv_data *train, *test;
    fv_train_options options;
    char out[4096]; /* options.out may point here */
    bool made_out;  /* the folder was created for this run */
    cli_watch watch;
} cli_training;
/* Trains, shows progress, and reports a run that did not end normally. Returns the exit code. */
int cli_training_run(const cli_session *session, cli_training *training);
void cli_training_close(cli_training *training);
/* Sets options.out = runs/<name>, or runs/<name>-2 and so on if that exists. The folder is created, so that
 * several processes get different ones. Returns 0 or an exit code. */
int cli_choose_folder(const cli_session *session, const char *model, cli_training *training);

/* Fills `training` from a run folder, and checks the rest of the command line against it. */
int cli_resume(const cli_session *session, const cli_command *command, cli_training *training,
               cli_record *record);

/* The table of errors per class. */
void cli_print_score(const fv_score *score, const fv_class_score *per_class, const fv_model *model);

/* The two halves of fovea info. */
int cli_info_model(cli_session *session, const char *spec);
int cli_info_data(cli_session *session, const char *spec);

/* "c x h x w" as "1x28x28". */
void cli_show_shape(const int *shape, int rank, char text[64]);

#endif
