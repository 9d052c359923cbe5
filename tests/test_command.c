/* test_command.c - the command `fovea` from outside: what it prints where, and how it ends. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "command_line.h"
#include "fovea.h"

/* ---- usage -------------------------------------------------------------------------------------- */

static void usage_errors(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"trian", "fovea: unknown command trian; nearest is train\n"},
        {"--versoin", "fovea: unknown option --versoin; nearest is --version\n"},
        {"help evla", "fovea help: unknown command evla; nearest is eval\n"},
        {"train --epoch 3", "fovea train: unknown option --epoch; nearest is --epochs\n"},
        {"train --epoch=3", "fovea train: unknown option --epoch; nearest is --epochs\n"},
        {"eval --jsn x", "fovea eval: unknown option --jsn; nearest is --json\n"},
        {"train --epochs", "fovea train: --epochs needs a value: --epochs N\n"},
        {"train --epochs 0", "fovea train: --epochs takes a whole number from 1 to 1000000, found \"0\"\n"},
        {"train --epochs 3x", "--epochs takes a whole number from 1 to 1000000, found \"3x\""},
        {"train --epochs -3", "--epochs takes a whole number from 1 to 1000000, found \"-3\""},
        {"train --epochs 99999999999999999999999", "--epochs takes a whole number"},
        {"train --lr nan", "fovea train: --lr takes a number from 0 to 1000000, found \"nan\"\n"},
        {"train --lr inf", "--lr takes a number"},
        {"train --lr 0x1", "--lr takes a number"},
        {"train --lr=", "--lr takes a number from 0 to 1000000, found \"\""},
        {"train --momentum 1.1", "--momentum takes a number from 0 to 1, found \"1.1\""},
        {"train --batch 16777217", "--batch takes a whole number from 1 to 16777216 or \"all\", found"},
        {"bench --batch 513", "--batch takes a whole number from 1 to 512, found \"513\""},
        {"info lenet5 --batch 16777217", "--batch takes a whole number from 1 to 16777216, found"},
        {"check lenet5 --batch 1025", "--batch takes a whole number from 1 to 1024, found \"1025\""},
        {"train --batch some", "--batch takes a whole number from 1 to 16777216 or \"all\", found \"some\""},
        {"train --schedule fast", "--schedule takes one of constant, step, cosine, found \"fast\""},
        {"train --seed 18446744073709551616", "--seed takes a whole number from 0 to 18446744073709551615"},
        {"train --classes 3,,8", "--classes takes up to 256 whole numbers from 0 to 65534"},
        {"train --json=yes", "--json takes no value"},
        {"train -v", "unknown option -v; options begin with two dashes"},
        {"train", "--model is missing"},
        {"train --model mlp", "--data is missing"},
        {"train --model mlp --data digits --optimizer adamm",
         "--optimizer: expected sgd, nesterov, adam or adamw, found 'adamm'"},
        {"train mlp", "unexpected \"mlp\""},
        {"train --lr 0.1 --lr 0.2", "fovea train: --lr was given twice: 0.1 and 0.2\n"},
        {"train --lr=0.1 --epochs 3 --lr=0.1", "fovea train: --lr was given twice: 0.1 and 0.1\n"},
        {"predict run --data digits --index 1 --index 2", "--index was given twice: 1 and 2"},
        {"eval", "RUN is missing; usage: fovea eval RUN [options]"},
        {"check --batch 3", "MODEL is missing; usage: fovea check MODEL [options]"},
        {"info", "MODEL|RUN|DATA is missing"},
        {"eval a b", "unexpected \"b\""},
        {"predict", "RUN is missing; usage: fovea predict RUN FILE... [options]"},
        {"predict run", "nothing to look at"},
        {"predict run --index 3", "--index needs --data"},
        {"predict run --data digits", "--index is missing"},
        {"predict run a.png --data digits --index 1", "both files and --data"},
        {"bench --models lenet55", "--models: unknown model lenet55; nearest is lenet5"},
        {"bench --models wibble", "--models: unknown model wibble; fovea models lists what there is"},
        {"bench --models mlp,,mlp", "found an empty one"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_message(cases[i].line, 2, cases[i].message);
    assert_int_equal(run(""), 2);
    assert_string_equal(out, "");
    assert_non_null(strstr(err, "usage: fovea"));
    /* A flag says the same however often. */
    expect("models --json --json", 0, NULL);
}

/* What is offered for a word that is not known: what was meant, or nothing. */
static void nearest_names(void **state)
{
    (void)state;
    static const struct {
        const char *line, *nearest; /* "": nothing */
    } cases[] = {
        {"tarin", "train"},
        {"Train", "train"},
        {"training", "train"},
        {"fit", "train"},
        {"test", "eval"},
        {"evaluate", "eval"},
        {"evla", "eval"},
        {"prediction", "predict"},
        {"classify", "predict"},
        {"inspect", "info"},
        {"information", "info"},
        {"gradcheck", "check"},
        {"benchmark", "bench"},
        {"list", "models"},
        {"model", "models"},
        {"ver", "version"},
        {"verison", "version"},
        {"hlep", "help"},
        {"deploy", ""},
        {"install", ""},
        {"convert", ""},
        {"x", ""},
        {"train --learning-rate 1", "--lr"},
        {"train --learning_rate 1", "--lr"},
        {"train --LR 1", "--lr"},
        {"train --batch-size 1", "--batch"},
        {"train --batch_size 1", "--batch"},
        {"train --epoch 1", "--epochs"},
        {"train --num-epochs 1", "--epochs"},
        {"train --augment 1", "--shift"},
        {"train --wd 1", "--weight-decay"},
        {"train --weight_decay 1", "--weight-decay"},
        {"train --l2 1", "--weight-decay"},
        {"train --scheduler x", "--schedule"},
        {"train --gamma 1", "--step-factor"},
        {"train --step-size 1", "--step-epochs"},
        {"train --optim sgd", "--optimizer"},
        {"train --optimiser sgd", "--optimizer"},
        {"train --dataset x", "--data"},
        {"train --arch x", "--model"},
        {"train --output x", "--out"},
        {"train --workers 2", "--threads"},
        {"train --n-threads 2", "--threads"},
        {"train --random-seed 2", ""},
        {"train --random-state 2", "--seed"},
        {"train --validation 2", "--valid"},
        {"train --continue x", "--resume"},
        {"train --verbose", ""},
        {"train --gpu", ""},
        {"train --device cpu", ""},
        {"train --workspace 2", ""},
        {"eval run --split-name x", "--split"},
        {"eval run --learning-rate 1", ""}, /* eval has none */
        {"train -epochs 3", "--epochs"},
        {"train -e 3", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_message(cases[i].line, 2, "unknown");
        const char *nearest = cases[i].nearest, *at = strstr(err, "nearest is ");
        at = at ? at + strlen("nearest is ") : strstr(err, ", as --") ? strstr(err, ", as --") + 5 : NULL;
        const size_t length = strlen(nearest);
        if (length ? !at || strncmp(at, nearest, length) != 0 || at[length] != '\n' : at != NULL)
            fail_msg("fovea %s: expected \"%s\" to be nearest, found: %s", cases[i].line, nearest, err);
    }
    expect_message("deploy", 2,
                   "there are demo, train, eval, predict, info, check, bench, models, data, version, help");
    expect_message("train --gpu", 2, "unknown option --gpu; fovea help train lists what there is");
}

static void environment_errors(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"FOVEA_ISA", "mmx"},      {"FOVEA_THREADS", "many"}, {"FOVEA_THREADS", "0"},
        {"FOVEA_THREADS", "2000"}, {"FOVEA_DATA", "a::b"},    {"FOVEA_DIRECT", "yes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setenv(cases[i][0], cases[i][1], 1);
        expect_message("models", 2, cases[i][0]);
        unsetenv(cases[i][0]);
    }
    setenv("FOVEA_ISA", "portable", 1);
    expect("models", 0, NULL);
    unsetenv("FOVEA_ISA");
}

static void help_and_version(void **state)
{
    (void)state;
    static const char *const commands[] = {"train", "eval",   "predict", "info", "check",
                                           "bench", "models", "data",    "demo", "version"};
    expect("help", 0, NULL);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char line[64], first[64];
        expect("help", 0, NULL);
        assert_non_null(strstr(out, commands[i]));
        snprintf(first, sizeof first, "fovea %s - ", commands[i]);
        snprintf(line, sizeof line, "%s --help", commands[i]);
        expect(line, 0, NULL);
        assert_string_equal(err, "");
        assert_int_equal(strncmp(out, first, strlen(first)), 0);
        snprintf(first, sizeof first, "\nexamples\n  fovea %s", commands[i]);
        assert_non_null(strstr(out, first));
        assert_non_null(strstr(out, "\nexit codes: 0 well, "));
        assert_non_null(strstr(out, "  --help"));
        char *with_option = strdup(out);
        snprintf(line, sizeof line, "help %s", commands[i]);
        expect(line, 0, NULL);
        assert_string_equal(out, with_option);
        free(with_option);
    }
    expect("help", 0, NULL);
    char *overview = strdup(out);
    expect("--help", 0, NULL);
    assert_string_equal(out, overview);
    assert_int_equal(run(""), 2);
    assert_string_equal(err, overview);
    free(overview);
    expect("--version", 0, NULL);
    assert_string_equal(out, "fovea " FV_VERSION "\n");
    expect("version --threads 3", 0, NULL);
    assert_int_equal(strncmp(out, "fovea " FV_VERSION "\n", strlen("fovea " FV_VERSION "\n")), 0);
    assert_non_null(strstr(out, "threads          3\n"));
    setenv("FOVEA_ISA", "portable", 1);
    expect("version --json --threads 3", 0, NULL);
    unsetenv("FOVEA_ISA");
    const char *const begin =
        "{\"event\":\"version\",\"version\":\"" FV_VERSION "\",\"isa\":\"portable\",\"machine\":\"";
    assert_int_equal(strncmp(out, begin, strlen(begin)), 0);
    assert_non_null(strstr(out, "\",\"threads\":3}\n"));
}

/* ---- standard output ---------------------------------------------------------------------------- */

static void lost_output(void **state)
{
    (void)state;
    static const char *const lines[] = {"help", "models", "models --json", "info mlp", "help train"};
    if (access("/dev/full", W_OK) != 0)
        skip();
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(await(start(lines[i], "/dev/full")), 1);
        assert_non_null(strstr(err, "standard output"));
    }
    assert_int_equal(await(start("train --model linear --epochs 2 --out full --json " SMALL, "/dev/full")),
                     1);
    assert_non_null(strstr(err, "standard output"));
}

static void json_everywhere(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int least;
    } cases[] = {
        {"version --json", 1},
        {"models --json", 5},
        {"info lenet5 --json", 5},
        {"info lenet5 --json --plan", 5},
        {"info lenet5 --json --plan --inference --batch 1", 3},
        {"info digits --json --limit 100", 2},
        {"check linear --json", 2},
        {"train --model linear --epochs 2 --valid 50 --out json-run --json --quiet " SMALL, 3},
        {"eval json-run --json --limit 200", 11},
        {"predict json-run --data digits --index 3,17 --json", 2},
        {"bench --models linear --json", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(cases[i].line, 0, NULL);
        check_json_lines(cases[i].least);
        assert_null(strchr(out, '\033'));
    }
}

static void training_reports(void **state)
{
    (void)state;
    char hash[2][32];
    expect("train --model linear --epochs 3 --out reports --json " SMALL, 0, "epoch 3/3");
    assert_null(strchr(err, '\033')); /* no bar where standard error is a file */
    final_hash(hash[0]);
    int epoch = 0;
    for (const char *line = out; strncmp(line, "{\"event\":\"epoch\"", 16) == 0;
         line = strchr(line, '\n') + 1) {
        epoch++;
        assert_int_equal(atoi(find_member(line, "epoch")), epoch);
        assert_true(atof(find_member(line, "train_loss")) > 0);
        assert_string_equal(find_member(line, "valid_error"), "null");
        const double error = atof(find_member(line, "test_error"));
        assert_true(error > 0 && error < 1);
        assert_true(atof(find_member(line, "samples_per_s")) > 0);
        assert_true(atof(find_member(line, "seconds")) > 0);
    }
    assert_int_equal(epoch, 3);
    assert_int_equal(atoi(find_member(check_json_lines(4), "parameters")), 7850);
    static const char *const files[] = {"model.fovea", "last.safetensors", "best.safetensors", "args.json",
                                        "log.csv"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "reports/%s", files[i]);
        assert_int_equal(access(path, R_OK), 0);
    }
    expect("train --model linear --epochs 3 --out reports-quiet --json --quiet " SMALL, 0, NULL);
    assert_string_equal(err, "");
    final_hash(hash[1]);
    assert_string_equal(hash[0], hash[1]);
    expect("eval reports", 0, NULL);
    assert_non_null(strstr(out, "  class   images    wrong    error"));
    expect("predict reports --data digits --index 0", 0, NULL);
    assert_non_null(strstr(out, "it is "));
}

/* A run folder as the model: training goes on from its weights, with options of its own. */
static void fine_tuning(void **state)
{
    (void)state;
    char hash[2][32];
    expect("train --model linear --epochs 1 --out base --json --quiet " SMALL, 0, NULL);
    final_hash(hash[0]);
    expect("train --model base --epochs 1 --lr 0 --out tuned --json --quiet " SMALL, 0, NULL);
    final_hash(hash[1]);
    assert_string_equal(hash[0], hash[1]);
}

static void default_folder(void **state)
{
    (void)state;
    expect("train --model linear --epochs 1 --quiet " SMALL, 0, NULL);
    assert_int_equal(access("runs/linear/last.safetensors", R_OK), 0);
    expect("train --model linear --epochs 1 --quiet " SMALL, 0, "runs/linear-2");
    assert_int_equal(access("runs/linear-2/last.safetensors", R_OK), 0);
}

/* ---- bad input ---------------------------------------------------------------------------------- */

static void bad_input(void **state)
{
    (void)state;
    assert_int_equal(mkdir("no-idx", 0700), 0);
    assert_int_equal(mkdir("bad-idx", 0700), 0);
    static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                        "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
    static const unsigned char cut[] = {0, 0, 8, 3, 0, 0, 0, 9, 0, 0, 0, 28, 0, 0, 0, 28, 1, 2, 3};
    for (int i = 0; i < 4; i++) {
        char path[64];
        snprintf(path, sizeof path, "bad-idx/%s", names[i]);
        write_file(path, cut, sizeof cut);
    }
    static const char odd[] = "# odd\ninput image 1x28x28\nconvv c1 6 5x5\n";
    write_file("odd.fovea", odd, sizeof odd - 1);
    write_file("noise.png", "not a picture", 13);
    write_file("small.pgm", "P5\n2 2\n255\n\1\2\3\4", 15);
    expect("train --model linear --epochs 1 --out input --quiet " SMALL, 0, NULL);
    assert_int_equal(mkdir("hollow", 0700), 0);
    write_file("hollow/model.fovea", odd, sizeof odd - 1);
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"train --model lenet55 --data digits", "lenet55"},
        {"train --model odd.fovea --data digits", "odd.fovea:3"},
        {"train --model linear --data nowhere", "nowhere"},
        {"train --model linear --data no-idx", "no-idx"},
        {"train --model linear --data bad-idx", "bad-idx/"},
        {"train --resume nowhere", "nowhere"},
        {"eval linear", "not trained"},
        {"eval nowhere", "no such folder"},
        {"eval hollow --data digits", "hollow"},
        {"predict input noise.png", "noise.png"},
        {"predict input --as-is small.pgm", "small.pgm"},
        {"predict input missing.png", "missing.png"},
        {"info lenet55", "lenet55"},
        {"check odd.fovea", "odd.fovea:3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_message(cases[i].line, 3, cases[i].message);
    expect_message("predict input --data digits --index 100000000", 2, "--index 100000000");
    /* An unwritable place: a file where the run folder should be. */
    expect("train --model linear --epochs 1 --out noise.png/run --quiet " SMALL, 1, "noise.png/run");
    assert_string_equal(out, "");
}

static void non_finite(void **state)
{
    (void)state;
    /* A rate of 1000 on a linear model with momentum and decay: weights grow past FLT_MAX in a few steps. */
    expect("train --model linear --epochs 50 --lr 1000 --weight-decay 1000 --out nan --quiet " SMALL, 4,
           "fovea train: ");
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usage_errors),     cmocka_unit_test(environment_errors),
        cmocka_unit_test(nearest_names),    cmocka_unit_test(help_and_version),
        cmocka_unit_test(lost_output),      cmocka_unit_test(json_everywhere),
        cmocka_unit_test(training_reports), cmocka_unit_test(default_folder),
        cmocka_unit_test(bad_input),        cmocka_unit_test(non_finite),
        cmocka_unit_test(fine_tuning),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
