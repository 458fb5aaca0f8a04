/* The sections of the manifest that declare things; channels.c wires them. */
#include "core/manifest/parse.h"

#include <string.h>

#define MAX_BYTES_LIMIT (INT64_C(1) << 40)
#define COMPONENT_BYTES_LIMIT (INT64_C(64) << 20) /* what the compiler can take */
#define MEMORY_BYTES_LIMIT (INT64_C(1) << 32)     /* of a 32-bit linear memory */
#define WASM_PAGE 65536
#define TIME_LIMIT_MS (INT64_C(30) * 86400 * 1000)
#define DIAGNOSTICS_MIN 4096

static void read_key(struct cvm_json_reader *r, const char *name, enum cvm_curve curve,
                     struct cvm_public_key *ret)
{
    json_t *jwk = cvm_json_object(r, name);
    struct cvm_error e = {0};
    if (jwk && cvm_jwk_parse(jwk, curve, ret, &e) < 0)
        cvm_json_fail(r, CVM_E_MANIFEST_KEY, "\"%s\": %s", name, e.message);
}

int cvm_manifest_read_participants(struct cvm_manifest *m, json_t *list, struct cvm_error *err)
{
    CVM_ENSURE(json_array_size(list) > 0, err, CVM_E_MANIFEST_RANGE, "\"participants\" is empty");
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry)
    {
        char place[CVM_PLACE_MAX];
        snprintf(place, sizeof place, "participants[%zu]", i);
        struct cvm_json_reader r;
        struct cvm_participant *p = &m->participants[i];
        cvm_json_begin(&r, entry, place, err);
        cvm_read_id(&r, p->id);
        p->name = cvm_read_text(&r, "name", 100);
        read_key(&r, "sign", CVM_ED25519, &p->sign);
        read_key(&r, "seal", CVM_X25519, &p->seal);
        p->seed = cvm_json_digest(&r, "seed");
        CVM_GUARD(cvm_json_end(&r));
        p->sign_thumb = cvm_jwk_thumbprint(&p->sign, CVM_ED25519);
        p->seal_thumb = cvm_jwk_thumbprint(&p->seal, CVM_X25519);
        for (size_t k = 0; k < i; k++) { /* two names for one party would let it speak twice */
            const struct cvm_participant *q = &m->participants[k];
            const char *same = strcmp(p->id, q->id) == 0                         ? "id"
                               : memcmp(&p->sign, &q->sign, sizeof p->sign) == 0 ? "signing key"
                               : memcmp(&p->seal, &q->seal, sizeof p->seal) == 0 ? "sealing key"
                               : memcmp(p->seed.b, q->seed.b, sizeof p->seed.b) == 0
                                   ? "seed commitment"
                                   : NULL;
            CVM_ENSURE(!same, err, CVM_E_MANIFEST_DUPLICATE_ID,
                       "%s: the same %s as participants[%zu]", place, same, k);
        }
        m->n_participants++;
    }
    return 0;
}

static void read_platforms(struct cvm_json_reader *r, struct cvm_isolate *s)
{
    s->platforms = cvm_read_words(r, "platforms", cvm_platform_by_word);
    bool hardware = false;
    for (unsigned p = 0; p < CVM_PLATFORM_COUNT; p++)
        if (s->platforms >> p & 1)
            *(cvm_platform_simulated((enum cvm_platform)p) ? &s->simulated : &hardware) = true;
    if (!s->platforms)
        cvm_json_fail(r, CVM_E_MANIFEST_RANGE, "\"platforms\" is empty");
    if (s->simulated && hardware)
        cvm_json_fail(r, CVM_E_MANIFEST_MIXED, "\"platforms\"");
}

/* `min` to `max` digests, each once, into `out`; returns how many. */
static uint32_t read_sha384_list(struct cvm_json_reader *r, const char *name, size_t min,
                                 size_t max, uint8_t (*out)[CVM_SHA384_LEN])
{
    json_t *list = cvm_json_array(r, name, max), *item;
    uint32_t n = 0;
    size_t i;
    if (list && json_array_size(list) < min)
        cvm_json_fail(r, CVM_E_MANIFEST_RANGE, "\"%s\" is empty", name);
    json_array_foreach(list, i, item)
    {
        const char *text = json_string_value(item);
        if (!text || strncmp(text, "sha384:", 7) != 0 ||
            cvm_hex_decode(text + 7, out[n], CVM_SHA384_LEN, NULL) < 0) {
            cvm_json_fail(r, CVM_E_MANIFEST_DIGEST, "\"%s\"[%zu] is not sha384: and 96 hex digits",
                          name, i);
            return n;
        }
        for (uint32_t k = 0; k < n; k++)
            if (memcmp(out[k], out[n], CVM_SHA384_LEN) == 0)
                cvm_json_fail(r, CVM_E_MANIFEST_DUPLICATE_ID, "\"%s\"[%zu] is there twice", name,
                              i);
        n++;
    }
    return n;
}

static void read_chips(struct cvm_json_reader *r, struct cvm_isolate *s)
{
    json_t *chips = cvm_json_any(r, "chips"), *item;
    size_t i;
    if (!chips)
        return;
    if (json_is_string(chips) && strcmp(json_string_value(chips), "any") == 0) {
        s->any_chip = true;
        return;
    }
    if (!json_is_array(chips)) {
        cvm_json_fail(r, CVM_E_JSON_TYPE, "\"chips\" must be \"any\" or a list of chip ids");
        return;
    }
    if (json_array_size(chips) == 0 || json_array_size(chips) > CVM_CHIPS_MAX) {
        cvm_json_fail(r, CVM_E_MANIFEST_RANGE, "\"chips\" has %zu entries, allowed are 1 to %d",
                      json_array_size(chips), CVM_CHIPS_MAX);
        return;
    }
    json_array_foreach(chips, i, item)
    {
        const char *text = json_string_value(item);
        size_t bytes = text ? strlen(text) / 2 : 0;
        if ((bytes != 8 && bytes != CVM_CHIP_LEN) ||
            cvm_hex_decode(text, s->chips[i], bytes, NULL) < 0) {
            cvm_json_fail(r, CVM_E_BAD_ENCODING,
                          "\"chips\"[%zu] is not 16 or 128 lower-case hex digits", i);
            return;
        }
        s->n_chips++;
    }
}

static void read_min_tcb(struct cvm_json_reader *r, struct cvm_isolate *s)
{
    json_t *lines = cvm_json_object(r, "min_tcb"), *object;
    const char *name;
    json_object_foreach(lines, name, object)
    {
        int product = cvm_product_by_word(name);
        if (product < 0) {
            cvm_json_fail(r, CVM_E_JSON_UNKNOWN, "\"min_tcb\": \"%.40s\"", name);
            return;
        }
        char place[CVM_PLACE_MAX];
        snprintf(place, sizeof place, "isolate.min_tcb.%s", name);
        struct cvm_json_reader t;
        cvm_json_begin(&t, object, place, r->err);
        s->min_tcb[product] = (struct cvm_min_tcb){
            .present = true,
            .bootloader = (int)cvm_json_int(&t, "bootloader", 0, 255),
            .tee = (int)cvm_json_int(&t, "tee", 0, 255),
            .snp = (int)cvm_json_int(&t, "snp", 0, 255),
            .microcode = (int)cvm_json_int(&t, "microcode", 0, 255),
            .fmc = product == CVM_PRODUCT_TURIN ? (int)cvm_json_int(&t, "fmc", 0, 255) : -1,
        };
        if (cvm_json_end(&t) < 0) {
            r->failed = true; /* *err says why already */
            return;
        }
    }
}

static int read_guest_policy(struct cvm_isolate *s, json_t *object, struct cvm_error *err)
{
    s->smt = true;
    if (!object)
        return 0;
    struct cvm_json_reader r;
    cvm_json_begin(&r, object, "isolate.policy", err);
    s->has_policy = true;
    s->abi_major = (int)cvm_json_int(&r, "abi_major", 0, 255);
    s->abi_minor = (int)cvm_json_int(&r, "abi_minor", 0, 255);
    s->single_socket = cvm_read_bool(&r, "single_socket");
    s->smt = cvm_read_bool(&r, "smt");
    return cvm_json_end(&r);
}

static int read_id_block(struct cvm_id_block_rule *b, json_t *object, struct cvm_error *err)
{
    if (!object)
        return 0;
    struct cvm_json_reader r;
    cvm_json_begin(&r, object, "isolate.id_block", err);
    b->present = true;
    b->guest_svn = (uint32_t)cvm_json_int(&r, "guest_svn", 0, UINT32_MAX);
    b->n_id_keys = read_sha384_list(&r, "id_keys", 1, CVM_ID_KEYS_MAX, b->id_keys);
    b->n_author_keys = read_sha384_list(&r, "author_keys", 0, CVM_ID_KEYS_MAX, b->author_keys);
    return cvm_json_end(&r);
}

int cvm_manifest_read_isolate(struct cvm_manifest *m, json_t *object, struct cvm_error *err)
{
    struct cvm_isolate *s = &m->isolate;
    struct cvm_json_reader r;
    cvm_json_begin(&r, object, "isolate", err);
    read_platforms(&r, s);
    s->n_measurements =
        read_sha384_list(&r, "measurements", 1, CVM_MEASUREMENTS_MAX, s->measurements);
    read_chips(&r, s);
    read_min_tcb(&r, s);
    json_t *policy = json_object_get(object, "policy") ? cvm_json_object(&r, "policy") : NULL;
    json_t *id_block = json_object_get(object, "id_block") ? cvm_json_object(&r, "id_block") : NULL;
    s->vcpus = (uint32_t)cvm_json_int(&r, "vcpus", 1, 512);
    s->memory_mib =
        (uint64_t)cvm_json_int(&r, "memory_mib", CVM_MEMORY_RESERVE_MIB, INT64_C(1) << 22);
    s->waive = cvm_read_words(&r, "waive", cvm_protection_by_word);
    CVM_GUARD(cvm_json_end(&r));
    CVM_GUARD(read_id_block(&s->id_block, id_block, err));
    return read_guest_policy(s, policy, err);
}

/* What components, data and outputs share. */
static void read_item_id(struct cvm_json_reader *r, const struct cvm_manifest *m,
                         char ret[CVM_ID_MAX + 1])
{
    char id[CVM_ID_MAX + 1] = "";
    cvm_read_id(r, id);
    if (r->failed)
        return;
    if (cvm_manifest_item(m, id) >= 0 || cvm_manifest_output(m, id) >= 0) {
        cvm_json_fail(r, CVM_E_MANIFEST_DUPLICATE_ID, "\"%s\"", id);
        return;
    }
    memcpy(ret, id, sizeof id);
}

static enum cvm_padding read_item_padding(struct cvm_json_reader *r)
{
    const char *word = cvm_json_string_opt(r, "padding");
    enum cvm_padding padding = CVM_PADDING_MAX;
    if (word && (cvm_padding_parse(word, &padding, NULL) < 0 || padding == CVM_PADDING_POW2))
        cvm_json_fail(r, CVM_E_MANIFEST_ENUM, "\"padding\" is \"%.40s\", allowed are max and none",
                      word);
    return padding;
}

static void read_args(struct cvm_json_reader *r, struct cvm_component *c)
{
    json_t *list = cvm_json_array_opt(r, "args", CVM_ARGS_MAX), *item;
    size_t i, total = 0;
    json_array_foreach(list, i, item)
    {
        const char *text = json_string_value(item);
        if (!text) {
            cvm_json_fail(r, CVM_E_JSON_TYPE, "\"args\" must hold strings");
            return;
        }
        cvm_read_check_text(r, "args", text, 0, CVM_ARGS_BYTES);
        total += strlen(text);
        c->args[c->n_args++] = text;
    }
    if (total > CVM_ARGS_BYTES)
        cvm_json_fail(r, CVM_E_MANIFEST_RANGE, "\"args\" have %zu bytes, at most %d are allowed",
                      total, CVM_ARGS_BYTES);
}

/* What only a library, and what only a command can be. */
static void read_role(struct cvm_json_reader *r, struct cvm_component *c)
{
    c->instance = CVM_INSTANCE_RUN;
    if (c->kind == CVM_COMPONENT_KIND_COMMAND)
        c->gate = cvm_json_bool_opt(r, "gate", false);
    else if (json_object_get(r->object, "instance"))
        c->instance = (enum cvm_instance)cvm_read_word(r, "instance", cvm_instance_by_word);
}

static int read_limits(struct cvm_component *c, json_t *object, const char *component,
                       struct cvm_error *err)
{
    char place[CVM_PLACE_MAX + 16];
    snprintf(place, sizeof place, "%s.limits", component);
    struct cvm_json_reader r;
    cvm_json_begin(&r, object, place, err);
    c->memory_bytes = (uint64_t)cvm_json_int(&r, "memory_bytes", WASM_PAGE, MEMORY_BYTES_LIMIT);
    c->cpu_ms = (uint64_t)cvm_json_int(&r, "cpu_ms", 1, TIME_LIMIT_MS);
    c->wall_ms = (uint64_t)cvm_json_int(&r, "wall_ms", 1, TIME_LIMIT_MS);
    if (json_object_get(object, "fuel"))
        c->fuel = (uint64_t)cvm_json_int(&r, "fuel", 1, CVM_JSON_INT_MAX);
    return cvm_json_end(&r);
}

int cvm_manifest_read_components(struct cvm_manifest *m, json_t *list, struct cvm_error *err)
{
    CVM_ENSURE(json_array_size(list) > 0, err, CVM_E_MANIFEST_RANGE, "\"components\" is empty");
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry)
    {
        char place[CVM_PLACE_MAX];
        snprintf(place, sizeof place, "components[%zu]", i);
        struct cvm_json_reader r;
        struct cvm_component *c = &m->components[i];
        cvm_json_begin(&r, entry, place, err);
        read_item_id(&r, m, c->id);
        c->owner = cvm_read_participant(&r, m, "owner");
        c->digest = cvm_json_digest(&r, "digest");
        c->max_bytes = (uint64_t)cvm_json_int(&r, "max_bytes", 1, COMPONENT_BYTES_LIMIT);
        c->padding = read_item_padding(&r);
        c->kind = (enum cvm_component_kind)cvm_read_word(&r, "kind", cvm_component_kind_by_word);
        read_role(&r, c);
        read_args(&r, c);
        c->grants = cvm_read_words(&r, "grants", cvm_grant_by_word);
        c->clock = (enum cvm_clock)cvm_read_word(&r, "clock", cvm_clock_by_word);
        c->random = (enum cvm_random)cvm_read_word(&r, "random", cvm_random_by_word);
        json_t *limits = cvm_json_object(&r, "limits");
        CVM_GUARD(cvm_json_end(&r));
        CVM_GUARD(read_limits(c, limits, place, err));
        m->n_components++;
    }
    return 0;
}

int cvm_manifest_read_data(struct cvm_manifest *m, json_t *list, struct cvm_error *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry)
    {
        char place[CVM_PLACE_MAX];
        snprintf(place, sizeof place, "data[%zu]", i);
        struct cvm_json_reader r;
        struct cvm_data *d = &m->data[i];
        cvm_json_begin(&r, entry, place, err);
        read_item_id(&r, m, d->id);
        d->owner = cvm_read_participant(&r, m, "owner");
        d->max_bytes = (uint64_t)cvm_json_int(&r, "max_bytes", 1, MAX_BYTES_LIMIT);
        d->open = cvm_json_bool_opt(&r, "open", false);
        if (d->open) {
            d->max_items = (uint32_t)cvm_json_int(&r, "max_items", 1, CVM_OPEN_ITEMS_MAX);
        } else {
            d->digest = cvm_json_digest(&r, "digest");
            d->padding = read_item_padding(&r);
        }
        CVM_GUARD(cvm_json_end(&r));
        m->n_data++;
    }
    return 0;
}

static int read_release(const struct cvm_manifest *m, struct cvm_output *o, json_t *list,
                        const char *output, struct cvm_error *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry)
    {
        char place[CVM_PLACE_MAX + 32];
        snprintf(place, sizeof place, "%s.release[%zu]", output, i);
        struct cvm_json_reader r;
        struct cvm_condition_rule *c = &o->release[i];
        cvm_json_begin(&r, entry, place, err);
        c->when = (enum cvm_condition)cvm_read_word(&r, "when", cvm_condition_by_word);
        c->by = cvm_read_participants(&r, m, "by");
        if (c->when == CVM_CONDITION_NOT_BEFORE)
            c->time = cvm_json_int(&r, "time", 1, m->not_after);
        CVM_GUARD(cvm_json_end(&r));
        o->n_release++;
    }
    return 0;
}

int cvm_manifest_read_outputs(struct cvm_manifest *m, json_t *list, struct cvm_error *err)
{
    CVM_ENSURE(json_array_size(list) > 0, err, CVM_E_MANIFEST_RANGE, "\"outputs\" is empty");
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry)
    {
        char place[CVM_PLACE_MAX];
        snprintf(place, sizeof place, "outputs[%zu]", i);
        struct cvm_json_reader r;
        struct cvm_output *o = &m->outputs[i];
        cvm_json_begin(&r, entry, place, err);
        read_item_id(&r, m, o->id);
        o->channel = -1;
        o->recipients = cvm_read_participants(&r, m, "recipients");
        o->diagnostics = cvm_json_bool_opt(&r, "diagnostics", false);
        o->max_bytes = (uint64_t)cvm_json_int(&r, "max_bytes", o->diagnostics ? DIAGNOSTICS_MIN : 1,
                                              MAX_BYTES_LIMIT);
        const char *padding = cvm_json_string(&r, "padding");
        if (!r.failed && cvm_padding_parse(padding, &o->padding, NULL) < 0)
            cvm_json_fail(&r, CVM_E_MANIFEST_ENUM, "\"padding\" is \"%.40s\"", padding);
        json_t *release = cvm_json_array(&r, "release", CVM_CONDITIONS_MAX);
        if (o->diagnostics && (o->padding != CVM_PADDING_MAX || json_array_size(release) > 0))
            cvm_json_fail(&r, CVM_E_MANIFEST_GRAPH,
                          "diagnostics have padding \"max\" and no release rule");
        CVM_GUARD(cvm_json_end(&r));
        CVM_GUARD(read_release(m, o, release, place, err));
        m->n_outputs++;
    }
    return 0;
}
