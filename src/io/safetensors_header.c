/* safetensors_header.c - the JSON header of a safetensors file:
 *
 *   {"__metadata__": {"key": "value", ...}, "name": {"dtype": "F32", "shape": [...], "data_offsets": [b, e]}}
 *
 * Offsets count from the end of the header. */
#include "io/safetensors_header.h"

#include <limits.h>
#include <string.h>

static const struct dtype {
    const char *name;
    size_t n_bytes;
} dtypes[] = {
    {"F32", 4}, {"F64", 8}, {"F16", 2}, {"BF16", 2}, {"I64", 8},     {"I32", 4},     {"I16", 2},  {"I8", 1},
    {"U64", 8}, {"U32", 4}, {"U16", 2}, {"U8", 1},   {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"BOOL", 1},
};

static fv_status parse_metadata(fv_safetensors *file, fv_json *json)
{
    FV_TRY(fv__json_expect(json, '{'));
    bool more = !fv__json_next_is(json, '}');
    if (!more)
        return fv__json_expect(json, '}');
    while (more) {
        char *key, *value;
        FV_TRY(fv__json_string(json, &key));
        FV_TRY(fv__json_expect(json, ':'));
        FV_TRY(fv__json_string(json, &value));
        FV_TRY(fv__grow(file->ctx, (void **)&file->meta, file->n_meta, &file->meta_capacity,
                        sizeof *file->meta));
        file->meta[file->n_meta++] = (fv_meta_entry){key, value};
        FV_TRY(fv__json_more(json, '}', &more));
    }
    return FV_OK;
}

/* Parses [a, b, ...] of whole numbers, at most `most` of them. */
static fv_status parse_wholes(fv_json *json, int most, int64_t *values, int *n)
{
    *n = 0;
    FV_TRY(fv__json_expect(json, '['));
    bool more = !fv__json_next_is(json, ']');
    if (!more)
        return fv__json_expect(json, ']');
    while (more) {
        if (*n == most)
            return fv__json_fail(json, "']', the list being long enough");
        FV_TRY(fv__json_whole(json, &values[(*n)++]));
        FV_TRY(fv__json_more(json, ']', &more));
    }
    return FV_OK;
}

static fv_status parse_dtype(fv_json *json, const struct dtype **dtype)
{
    char *name;
    const size_t at = json->at;
    FV_TRY(fv__json_string(json, &name));
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++)
        if (strcmp(name, dtypes[i].name) == 0) {
            *dtype = &dtypes[i];
            return FV_OK;
        }
    return fv__fail(json->ctx, FV_ERR_INPUT, "%s: byte %zu: expected a dtype such as F32, found \"%s\"",
                    json->path, json->first + at, name);
}

/* Parses one member of a tensor's object; `seen` has a bit for each of the three members. */
static fv_status parse_member(fv_json *json, fv_tensor_entry *t, const struct dtype **dtype,
                              int64_t offsets[2], unsigned *seen)
{
    static const char *const members[3] = {"dtype", "shape", "data_offsets"};
    char *key;
    int which = 0, n;
    const size_t at = json->at;
    FV_TRY(fv__json_string(json, &key));
    while (which < 3 && strcmp(key, members[which]) != 0)
        which++;
    if (which == 3 || (*seen >> which & 1))
        return fv__fail(
            json->ctx, FV_ERR_INPUT,
            "%s: byte %zu: tensor %s: expected dtype, shape and data_offsets, once each, found \"%s\"",
            json->path, json->first + at, t->name, key);
    *seen |= 1u << which;
    FV_TRY(fv__json_expect(json, ':'));
    if (which == 0)
        return parse_dtype(json, dtype);
    if (which == 1)
        return parse_wholes(json, FV_TENSOR_MAX_RANK, t->dim, &t->rank);
    FV_TRY(parse_wholes(json, 2, offsets, &n));
    return n == 2 ? FV_OK : fv__json_fail(json, "two data_offsets before here");
}

/* Checks that shape, dtype, offsets and the file's length agree. */
static fv_status check_tensor(const fv_safetensors *file, fv_json *json, size_t n_header, fv_tensor_entry *t,
                              const struct dtype *dtype, const int64_t offsets[2])
{
    const size_t n_data = file->n_bytes - 8 - n_header, place = json->first + json->at;
    if (offsets[0] > offsets[1] || (uint64_t)offsets[1] > n_data)
        return fv__fail(
            file->ctx, FV_ERR_INPUT,
            "%s: byte %zu: tensor %s: expected data_offsets within the %zu bytes of data, found %lld to "
            "%lld",
            file->path, place, t->name, n_data, (long long)offsets[0], (long long)offsets[1]);
    size_t n_bytes = dtype->n_bytes;
    bool fits = true;
    for (int i = 0; i < t->rank; i++)
        fits = fits && fv__mul(n_bytes, (size_t)t->dim[i], &n_bytes);
    t->n_bytes = (size_t)(offsets[1] - offsets[0]);
    if (!fits || n_bytes != t->n_bytes)
        return fv__fail(file->ctx, FV_ERR_INPUT,
                        "%s: byte %zu: tensor %s: expected %s%zu bytes of data for its shape, found %zu",
                        file->path, place, t->name, fits ? "" : "more than ", fits ? n_bytes : SIZE_MAX,
                        t->n_bytes);
    t->dtype = dtype->name;
    t->values = file->bytes + 8 + n_header + (size_t)offsets[0];
    return FV_OK;
}

static fv_status parse_tensor(fv_safetensors *file, fv_json *json, size_t n_header, const char *name)
{
    fv_tensor_entry t = {.name = name};
    const struct dtype *dtype = NULL;
    int64_t offsets[2] = {0, 0};
    unsigned seen = 0;
    bool more = true;
    FV_TRY(fv__json_expect(json, '{'));
    while (more) {
        FV_TRY(parse_member(json, &t, &dtype, offsets, &seen));
        FV_TRY(fv__json_more(json, '}', &more));
    }
    if (seen != 7)
        return fv__fail(file->ctx, FV_ERR_INPUT,
                        "%s: byte %zu: tensor %s: expected dtype, shape and data_offsets, found fewer",
                        file->path, json->first + json->at, name);
    FV_TRY(check_tensor(file, json, n_header, &t, dtype, offsets));
    if (file->n_tensors == INT_MAX)
        return fv__json_fail(json, "fewer tensors");
    FV_TRY(fv__grow(file->ctx, (void **)&file->tensors, file->n_tensors, &file->tensor_capacity,
                    sizeof *file->tensors));
    file->tensors[file->n_tensors++] = t;
    return FV_OK;
}

/* Names appear in messages and tables, where a control character would do harm. */
static fv_status check_name(fv_json *json, const char *name)
{
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return fv__json_fail(json, "a name without control characters before here");
    return FV_OK;
}

fv_status fv__safetensors_parse(fv_safetensors *file, size_t n_header)
{
    fv_json json = {.ctx = file->ctx,
                    .arena = &file->arena,
                    .path = file->path,
                    .bytes = file->bytes + 8,
                    .n = n_header,
                    .first = 8};
    bool has_metadata = false;
    if (n_header == 0 || json.bytes[0] != '{')
        return fv__json_fail(&json, "'{'");
    FV_TRY(fv__json_expect(&json, '{'));
    bool more = !fv__json_next_is(&json, '}');
    if (!more)
        FV_TRY(fv__json_expect(&json, '}'));
    while (more) {
        char *name;
        FV_TRY(fv__json_string(&json, &name));
        FV_TRY(check_name(&json, name));
        FV_TRY(fv__json_expect(&json, ':'));
        if (strcmp(name, "__metadata__") != 0) {
            FV_TRY(parse_tensor(file, &json, n_header, name));
        } else if (has_metadata) {
            return fv__json_fail(&json, "__metadata__ once");
        } else {
            has_metadata = true;
            FV_TRY(parse_metadata(file, &json));
        }
        FV_TRY(fv__json_more(&json, '}', &more));
    }
    return fv__json_end(&json);
}
