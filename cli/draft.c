#include "cli/draft.h"

#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "core/evidence/measure-sim.h"
#include "core/manifest/manifest.h"

#define ZEROS "000000000000000000000000000000000000000000000000"
#define MEMORY_STEP 64 /* MiB */
/* The largest that the format takes; only until the real need is known. */
#define MEMORY_MIB_MAX (INT64_C(1) << 22)

static json_t *find_by_id(json_t *list, const char *id)
{
    size_t i;
    json_t *x;
    json_array_foreach(list, i, x)
    {
        const char *name =
            json_is_string(x) ? json_string_value(x) : json_string_value(json_object_get(x, "id"));
        if (name && strcmp(name, id) == 0)
            return x;
    }
    return NULL;
}

/* In place of an id or an older entry; at the end when the draft leaves the list to us. */
static int put_participant(json_t *draft, const struct cli_card *card, const char *seed,
                           struct cvm_error *err)
{
    json_t *list = json_object_get(draft, "participants");
    bool ours = json_is_true(json_object_get(draft, "participants-by-offers"));
    if (!list) {
        list = json_array();
        json_object_set_new(draft, "participants", list);
        json_object_set_new(draft, "participants-by-offers", json_true());
        ours = true;
    }
    CVM_ENSURE(json_is_array(list), err, CVM_E_JSON_TYPE, "participants is not a list");
    json_t *entry = cli_card_json(card);
    json_object_del(entry, "version");
    json_object_set_new(entry, "seed", json_string(seed));
    size_t i;
    json_t *x;
    json_array_foreach(list, i, x)
    {
        const char *id =
            json_is_string(x) ? json_string_value(x) : json_string_value(json_object_get(x, "id"));
        if (id && strcmp(id, card->id) == 0) {
            json_array_set_new(list, i, entry);
            return 0;
        }
    }
    if (ours) {
        json_array_append_new(list, entry);
        return 0;
    }
    json_decref(entry);
    return cvm_fail(err, CVM_E_NOT_A_PARTICIPANT,
                    "the draft does not list %s, who made one of the offers", card->id);
}

static int put_item(json_t *draft, json_t *row, const char *owner, unsigned *unused,
                    struct cvm_error *err)
{
    struct cvm_json_reader r;
    cvm_json_begin(&r, row, "offer.items[]", err);
    struct cvm_digest d = cvm_json_digest(&r, "digest");
    const char *id = cvm_json_string(&r, "id"), *padding = cvm_json_string(&r, "padding");
    int64_t max = cvm_json_int(&r, "max_bytes", 1, CVM_JSON_INT_MAX);
    CVM_GUARD(cvm_json_end(&r));
    json_t *item = find_by_id(json_object_get(draft, "components"), id);
    if (!item)
        item = find_by_id(json_object_get(draft, "data"), id);
    const char *drafted = json_string_value(json_object_get(item, "owner"));
    if (!json_is_object(item) || (drafted && strcmp(drafted, owner) != 0)) {
        ++*unused;
        return 0;
    }
    json_object_set_new(item, "owner", json_string(owner));
    json_object_set_new(item, "digest", cvm_json_of_digest(&d));
    json_object_set_new(item, "max_bytes", json_integer(max));
    if (strcmp(padding, "max") == 0)
        json_object_del(item, "padding");
    else
        json_object_set_new(item, "padding", json_string(padding));
    return 0;
}

int cli_draft_offer(json_t *draft, json_t *offer, unsigned *ret_unused, struct cvm_error *err)
{
    struct cvm_json_reader r;
    struct cli_card card;
    char seed[CVM_DIGEST_TEXT];
    unsigned unused = 0;
    cvm_json_begin(&r, offer, "offer", err);
    json_t *items = cvm_json_array(&r, "items", CVM_ITEMS_MAX),
           *participant = cvm_json_object(&r, "participant");
    struct cvm_digest commitment = cvm_json_digest(&r, "seed");
    cvm_json_int(&r, "version", 1, 1);
    CVM_GUARD(cvm_json_end(&r));
    CVM_GUARD(cli_card_parse(participant, &card, err));
    CVM_GUARD(put_participant(draft, &card, cvm_digest_text(&commitment, seed), err));
    size_t i;
    json_t *row;
    json_array_foreach(items, i, row) CVM_GUARD(put_item(draft, row, card.id, &unused, err));
    *ret_unused = unused;
    return 0;
}

static void set_default(json_t *object, const char *name, json_t *value)
{
    if (json_object_get(object, name))
        json_decref(value);
    else
        json_object_set_new(object, name, value);
}

static void channel_defaults(json_t *x)
{
    set_default(x, "kind", json_string("file"));
}

static void component_defaults(json_t *x)
{
    set_default(x, "kind", json_string("command"));
    set_default(x, "args", json_array());
    set_default(x, "grants", json_array());
    set_default(x, "clock", json_string("none"));
    set_default(x, "random", json_string("none"));
    set_default(x, "limits", json_object());
    json_t *limits = json_object_get(x, "limits");
    set_default(limits, "memory_bytes", json_integer(64 << 20));
    set_default(limits, "cpu_ms", json_integer(60000));
    set_default(limits, "wall_ms", json_integer(120000));
}

static void output_defaults(json_t *x)
{
    set_default(x, "padding", json_string("max"));
    set_default(x, "release", json_array());
}

static void for_each(json_t *draft, const char *name, void (*f)(json_t *))
{
    size_t i;
    json_t *x;
    set_default(draft, name, json_array());
    json_array_foreach(json_object_get(draft, name), i, x) if (json_is_object(x)) f(x);
}

/* One of zeros, where the draft has none: the manifest's rules are asked for before it can be
 * measured, since a machine's memory is measured too. */
static bool hold_measurements(json_t *isolate)
{
    if (json_object_get(isolate, "measurements"))
        return false;
    json_object_set_new(isolate, "measurements", json_pack("[s++]", "sha384:", ZEROS, ZEROS));
    return true;
}

static int measure(json_t *isolate, const char *image, struct cvm_error *err)
{
    CVM_ENSURE(image, err, CVM_E_JSON_MISSING,
               "isolate.measurements: give --image DIR so that it can be computed, or write it "
               "into the draft");
    json_t *platforms = json_object_get(isolate, "platforms"), *p, *list = json_array();
    json_object_set_new(isolate, "measurements", list);
    size_t i;
    json_array_foreach(platforms, i, p)
    {
        uint8_t m[CVM_SHA384_LEN];
        const char *name = json_string_value(p);
        bool process = name && strcmp(name, "sim-process") == 0;
        CVM_ENSURE(process || (name && strcmp(name, "sim-vm") == 0), err, CVM_E_UNSUPPORTED,
                   "isolate.measurements of %s must be written into the draft",
                   name ? name : "this platform");
        uint32_t vcpus = (uint32_t)json_integer_value(json_object_get(isolate, "vcpus"));
        uint64_t memory = (uint64_t)json_integer_value(json_object_get(isolate, "memory_mib"));
        if (process)
            CVM_GUARD(cvm_measure_sim_folder(image, vcpus, m, err));
        else
            CVM_GUARD(cvm_measure_sim_vm_folder(image, vcpus, memory, m, err));
        CVM_AUTO_FREE char *hex = cvm_hex(m, sizeof m);
        CVM_AUTO_FREE char *text = cvm_printf("sha384:%s", hex);
        json_array_append_new(list, json_string(text));
    }
    return 0;
}

static bool has_machine(const json_t *isolate)
{
    size_t i;
    json_t *p;
    json_array_foreach(json_object_get(isolate, "platforms"), i, p)
    {
        const char *name = json_string_value(p);
        if (name && strcmp(name, "sim-process") != 0)
            return true;
    }
    return false;
}

/* As much memory as the declared limits add up to, where the draft does not say. */
static int choose_memory(json_t *draft, json_t *isolate, struct cvm_error *err)
{
    if (json_object_get(isolate, "memory_mib"))
        return 0;
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    CVM_AUTO_FREE struct cvm_manifest *m = cvm_alloc(sizeof *m);
    json_object_set_new(isolate, "memory_mib", json_integer(MEMORY_MIB_MAX));
    CVM_GUARD(cvm_json_write(draft, &bytes, err));
    CVM_GUARD(cvm_manifest_parse(bytes.data, bytes.len, m, err));
    json_int_t needed = (json_int_t)cvm_manifest_memory_needed(m);
    if (has_machine(isolate)) /* what a guest tells of its memory is rounded */
        needed = (needed + MEMORY_STEP - 1) / MEMORY_STEP * MEMORY_STEP;
    json_object_set_new(isolate, "memory_mib", json_integer(needed));
    cvm_manifest_free(m);
    return 0;
}

int cli_draft_finish(json_t *draft, const struct cli_draft_defaults *defaults, struct cvm_buf *ret,
                     struct cvm_error *err)
{
    uuid_t id;
    char uuid[UUID_STR_LEN];
    uuid_generate_random(id);
    uuid_unparse_lower(id, uuid);
    json_object_del(draft, "participants-by-offers");
    CVM_ENSURE(json_is_array(json_object_get(draft, "participants")), err, CVM_E_JSON_MISSING,
               "participants: give --offer FILE for each of them");
    size_t i;
    json_t *p;
    json_array_foreach(json_object_get(draft, "participants"), i, p) CVM_ENSURE(
        !json_is_string(p), err, CVM_E_JSON_MISSING, "the offer of %s", json_string_value(p));
    set_default(draft, "version", json_integer(1));
    set_default(draft, "collaboration", json_string(uuid));
    set_default(draft, "not_after", json_integer(cli_now() + defaults->days * 86400));
    set_default(draft, "isolate", json_object());
    json_t *isolate = json_object_get(draft, "isolate");
    CVM_ENSURE(json_is_object(isolate), err, CVM_E_JSON_TYPE, "isolate is not an object");
    set_default(isolate, "chips", json_string("any"));
    set_default(isolate, "min_tcb", json_object());
    set_default(isolate, "waive", json_array());
    set_default(isolate, "vcpus", json_integer(1));
    for_each(draft, "components", component_defaults);
    for_each(draft, "outputs", output_defaults);
    set_default(draft, "data", json_array());
    set_default(draft, "channels", json_array());
    for_each(draft, "channels", channel_defaults);
    bool unmeasured = hold_measurements(isolate);
    CVM_GUARD(choose_memory(draft, isolate, err));
    if (unmeasured)
        CVM_GUARD(measure(isolate, defaults->image, err));
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    CVM_GUARD(cvm_json_write(draft, &bytes, err));
    CVM_AUTO_FREE struct cvm_manifest *m = cvm_alloc(sizeof *m);
    CVM_GUARD(cvm_manifest_parse(bytes.data, bytes.len, m, err));
    cvm_manifest_free(m);
    cvm_buf_append(ret, bytes.data, bytes.len);
    return 0;
}

json_t *cli_draft_renew(const json_t *manifest)
{
    json_t *draft = json_deep_copy(manifest), *ids = json_array(), *p;
    size_t i;
    json_array_foreach(json_object_get(draft, "participants"), i, p)
        json_array_append(ids, json_object_get(p, "id"));
    json_object_set_new(draft, "participants", ids);
    json_object_del(draft, "collaboration");
    json_object_del(draft, "not_after");
    return draft;
}
