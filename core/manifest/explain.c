#include "core/manifest/explain.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * What flows into an output, along the channels backwards. A call leads both ways: results to the
 * caller, arguments to the callee. A library that lives for the run joins all its callers, at any
 * distance; one that lives for one call is, to each caller, a part of that caller.
 */
struct sources {
    bool components[CVM_COMPONENTS_MAX], data[CVM_DATA_MAX];
    bool callers[CVM_COMPONENTS_MAX]; /* also what the component's callers know flows in */
};

static void trace_back(const struct cvm_manifest *m, int component, bool callers, struct sources *s)
{
    callers |= m->components[component].instance == CVM_INSTANCE_RUN;
    if (s->components[component] && (s->callers[component] || !callers))
        return;
    s->components[component] = true;
    s->callers[component] = callers;
    for (uint32_t k = 0; k < m->n_channels; k++) {
        const struct cvm_channel *c = &m->channels[k];
        bool call = c->kind == CVM_CHANNEL_KIND_CALL;
        if (call && c->from_component == component)
            trace_back(m, c->to_component, false, s);
        if (c->to_component != component)
            continue;
        if (c->from_data >= 0)
            s->data[c->from_data] = true;
        if (c->from_component >= 0 && (!call || callers))
            trace_back(m, c->from_component, true, s);
    }
}

static struct sources sources_of(const struct cvm_manifest *m, const struct cvm_output *o)
{
    struct sources s = {0};
    if (o->channel >= 0)
        trace_back(m, m->channels[o->channel].from_component, true, &s);
    for (uint32_t i = 0; o->diagnostics && i < m->n_components; i++)
        trace_back(m, (int)i, true, &s);
    return s;
}

static void CVM_PRINTF(3, 4) say(json_t *list, const char *topic, const char *fmt, ...)
{
    va_list ap;
    CVM_AUTO_FREE char *text = NULL;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    va_end(ap);
    json_t *o = json_object();
    json_object_set_new(o, "topic", json_string(topic));
    json_object_set_new(o, "text", json_string(text));
    json_array_append_new(list, o);
}

static void join(struct cvm_buf *b, const char *word)
{
    if (b->len)
        cvm_buf_append_str(b, ", ");
    cvm_buf_append_str(b, word);
}

static const char *or_none(struct cvm_buf *b)
{
    return b->len ? cvm_buf_cstr(b) : "nothing";
}

static void join_participants(const struct cvm_manifest *m, uint32_t set, struct cvm_buf *b)
{
    for (uint32_t p = 0; p < m->n_participants; p++)
        if (set >> p & 1)
            join(b, m->participants[p].id);
}

static void join_bits(unsigned bits, const char *(*word)(unsigned), struct cvm_buf *b)
{
    for (unsigned i = 0; word(i); i++)
        if (bits >> i & 1)
            join(b, word(i));
}

static const char *platform_word(unsigned i)
{
    return cvm_platform_word((enum cvm_platform)i);
}

static const char *protection_word(unsigned i)
{
    return cvm_protection_word((enum cvm_protection)i);
}

static const char *grant_word(unsigned i)
{
    return cvm_grant_word((enum cvm_grant)i);
}

static const char *size_text(uint64_t n, char out[40])
{
    static const char *const UNITS[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    unsigned u = 0;
    while (u < 4 && n >= 1024 && n % 1024 == 0) {
        n /= 1024;
        u++;
    }
    snprintf(out, 40, "%llu %s", (unsigned long long)n, UNITS[u]);
    return out;
}

static const char *time_text(int64_t t, char out[40])
{
    struct tm tm;
    time_t when = (time_t)t;
    if (!gmtime_r(&when, &tm) || strftime(out, 40, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
        snprintf(out, 40, "%lld", (long long)t);
    return out;
}

static void say_warnings(const struct cvm_manifest *m, json_t *list)
{
    const struct cvm_isolate *s = &m->isolate;
    if (s->simulated)
        say(list, "warning",
            "SIMULATED: no hardware protects this. The operator of the host can see and change "
            "everything. For "
            "development only.");
    if (s->waive) {
        CVM_AUTO_BUF struct cvm_buf b = {0};
        join_bits(s->waive, protection_word, &b);
        say(list, "warning",
            "Protections that may be missing, because this manifest waives them: %s.", or_none(&b));
    }
    for (uint32_t i = 0; i < m->n_components; i++) {
        const struct cvm_component *c = &m->components[i];
        if (c->clock == CVM_CLOCK_HOST)
            say(list, "warning",
                "\"%s\" reads the host's clock: the host can tell it any time, and it can measure "
                "how long things "
                "take.",
                c->id);
        if (c->random == CVM_RANDOM_REAL)
            say(list, "warning",
                "\"%s\" draws randomness that no one can repeat: its result can't be recomputed, "
                "and random bytes "
                "could hide a message.",
                c->id);
    }
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        const struct cvm_output *o = &m->outputs[i];
        if (o->diagnostics)
            say(list, "warning",
                "The diagnostics \"%s\" carry numbers that every component can choose (exit code, "
                "time, memory, bytes "
                "printed): a component can put what it knows into them.",
                o->id);
        if (o->padding != CVM_PADDING_MAX)
            say(list, "warning", "The size of \"%s\" is visible to the host %s.", o->id,
                o->padding == CVM_PADDING_NONE ? "exactly (padding none)"
                                               : "to a power of two (padding pow2)");
    }
}

/* "data rows-a, rows-b through the code train". */
static void say_learns(const struct cvm_manifest *m, json_t *list)
{
    char size[40];
    for (uint32_t p = 0; p < m->n_participants; p++) {
        bool any = false;
        for (uint32_t i = 0; i < m->n_outputs; i++) {
            const struct cvm_output *o = &m->outputs[i];
            if (!(o->recipients >> p & 1))
                continue;
            any = true;
            struct sources s = sources_of(m, o);
            CVM_AUTO_BUF struct cvm_buf data = {0}, code = {0};
            for (uint32_t d = 0; d < m->n_data; d++)
                if (s.data[d]) {
                    CVM_AUTO_FREE char *t = cvm_printf("%s (of %s)", m->data[d].id,
                                                       m->participants[m->data[d].owner].id);
                    join(&data, t);
                }
            for (uint32_t n = 0, c; n < m->n_components; n++)
                if (s.components[c = (uint32_t)m->order[n]]) {
                    CVM_AUTO_FREE char *t = cvm_printf("%s (of %s)", m->components[c].id,
                                                       m->participants[m->components[c].owner].id);
                    join(&code, t);
                }
            say(list, "learns",
                "%s (%s) can learn, in output \"%s\" of at most %s, whatever the code %s makes of "
                "the data %s.",
                m->participants[p].id, m->participants[p].name, o->id,
                size_text(o->max_bytes, size), or_none(&code), or_none(&data));
        }
        if (!any)
            say(list, "learns",
                "%s (%s) gets no output: it learns only that the run ended, and well or not.",
                m->participants[p].id, m->participants[p].name);
    }
    say(list, "learns",
        m->isolate.simulated ? "The host and its operator could read all of it (SIMULATED); on "
                               "hardware they would see sizes, times and "
                               "that the run ended, well or not."
                             : "The host and its operator see sizes, times and that the run ended, "
                               "well or not; no content.");
}

static const char *const CLOCKS[CVM_CLOCK_COUNT] = {
    [CVM_CLOCK_NONE] = "no clock",
    [CVM_CLOCK_FIXED] = "a clock that stands at 1970",
    [CVM_CLOCK_HOST] = "the host's clock",
};
static const char *const RANDOMS[CVM_RANDOM_COUNT] = {
    [CVM_RANDOM_NONE] = "no randomness",
    [CVM_RANDOM_SEEDED] = "randomness from the seed that all participants bring",
    [CVM_RANDOM_REAL] = "randomness that nobody can repeat",
};

static void say_code(const struct cvm_manifest *m, json_t *list)
{
    char memory[40], digest[CVM_DIGEST_TEXT];
    for (uint32_t i = 0; i < m->n_components; i++) {
        const struct cvm_component *c = &m->components[i];
        CVM_AUTO_BUF struct cvm_buf grants = {0}, args = {0}, feeds = {0};
        join_bits(c->grants, grant_word, &grants);
        for (uint32_t k = 0; k < c->n_args; k++) {
            CVM_AUTO_FREE char *t = cvm_printf("\"%s\"", c->args[k]);
            join(&args, t);
        }
        for (uint32_t k = 0; k < m->n_channels; k++) {
            const struct cvm_channel *ch = &m->channels[k];
            if (ch->to_component == (int)i && ch->kind != CVM_CHANNEL_KIND_CALL)
                join(&feeds, ch->from_data >= 0 ? m->data[ch->from_data].id
                                                : m->components[ch->from_component].id);
        }
        say(list, "code",
            "\"%s\" is a %s of %s (%s). It reads %s. It may use: %s; %s; %s. Its arguments: "
            "%s. It is stopped "
            "beyond %s of memory, %llu ms of CPU time, %llu ms in all.",
            c->id, c->kind == CVM_COMPONENT_KIND_LIBRARY ? "library" : "program",
            m->participants[c->owner].id, cvm_digest_text(&c->digest, digest), or_none(&feeds),
            or_none(&grants), CLOCKS[c->clock], RANDOMS[c->random], or_none(&args),
            size_text(c->memory_bytes, memory), (unsigned long long)c->cpu_ms,
            (unsigned long long)c->wall_ms);
    }
    say(list, "code",
        "What a program does with what it reads is known only to those who have its source and "
        "built these bytes from "
        "it.");
}

static void say_data(const struct cvm_manifest *m, json_t *list)
{
    char size[40];
    for (uint32_t d = 0; d < m->n_data; d++) {
        CVM_AUTO_BUF struct cvm_buf code = {0}, outputs = {0}, readers = {0};
        for (uint32_t k = 0; k < m->n_channels; k++)
            if (m->channels[k].from_data == (int)d)
                join(&code, m->components[m->channels[k].to_component].id);
        uint32_t who = 0;
        for (uint32_t o = 0; o < m->n_outputs; o++) {
            if (!sources_of(m, &m->outputs[o]).data[d])
                continue;
            join(&outputs, m->outputs[o].id);
            who |= m->outputs[o].recipients;
        }
        join_participants(m, who, &readers);
        say(list, "data",
            "\"%s\" (of %s, at most %s) is read by %s; what comes of it is in %s, for %s.",
            m->data[d].id, m->participants[m->data[d].owner].id,
            size_text(m->data[d].max_bytes, size), or_none(&code), or_none(&outputs),
            who ? cvm_buf_cstr(&readers) : "nobody");
        if (m->data[d].open)
            say(list, "data",
                "\"%s\" is chosen at run time: %s sends up to %u items while it runs, and nothing "
                "fixes them before.",
                m->data[d].id, m->participants[m->data[d].owner].id, m->data[d].max_items);
    }
}

static const char *component_id(const struct cvm_manifest *m, int component)
{
    return m->components[component].id;
}

static void say_calls(const struct cvm_manifest *m, json_t *list)
{
    char call[40], all[40];
    for (uint32_t k = 0; k < m->n_channels; k++) {
        const struct cvm_channel *c = &m->channels[k];
        if (c->kind == CVM_CHANNEL_KIND_CALL)
            say(list, "together",
                "\"%s\" calls \"%s\" (%s), at most %llu times, %s a call and direction, %s in all. "
                "A "
                "call leads both ways: \"%s\" can learn what \"%s\" passes, and \"%s\" what \"%s\" "
                "answers.",
                component_id(m, c->from_component), component_id(m, c->to_component), c->interface,
                (unsigned long long)c->max_calls, size_text(c->max_call_bytes, call),
                size_text(c->max_bytes, all), component_id(m, c->to_component),
                component_id(m, c->from_component), component_id(m, c->from_component),
                component_id(m, c->to_component));
        else if (c->kind == CVM_CHANNEL_KIND_STREAM && c->from_component >= 0)
            say(list, "together",
                "\"%s\" streams to \"%s\" while both run, at most %s. By how fast it reads, \"%s\" "
                "can tell \"%s\" something, too.",
                component_id(m, c->from_component), component_id(m, c->to_component),
                size_text(c->max_bytes, all), component_id(m, c->to_component),
                component_id(m, c->from_component));
    }
}

/* Whom a library joins, or that it joins nobody. */
static void say_instances(const struct cvm_manifest *m, json_t *list)
{
    for (uint32_t i = 0; i < m->n_components; i++) {
        const struct cvm_component *c = &m->components[i];
        CVM_AUTO_BUF struct cvm_buf callers = {0};
        uint32_t n = 0;
        for (uint32_t k = 0; k < m->n_channels; k++) {
            const struct cvm_channel *ch = &m->channels[k];
            if (ch->kind != CVM_CHANNEL_KIND_CALL || ch->to_component != (int)i)
                continue;
            CVM_AUTO_FREE char *t =
                cvm_printf("\"%s\" (of %s)", component_id(m, ch->from_component),
                           m->participants[m->components[ch->from_component].owner].id);
            join(&callers, t);
            n++;
        }
        if (c->kind != CVM_COMPONENT_KIND_LIBRARY)
            continue;
        if (c->instance == CVM_INSTANCE_CALL)
            say(list, "together",
                "\"%s\" starts afresh for each call: it can carry nothing from one call to the "
                "next.",
                c->id);
        else if (n > 1)
            say(list, "together",
                "\"%s\" remembers from call to call and is shared: through it, each of %s can "
                "learn "
                "what the others pass.",
                c->id, cvm_buf_cstr(&callers));
        else
            say(list, "together", "\"%s\" remembers from call to call, for %s alone.", c->id,
                cvm_buf_cstr(&callers));
    }
}

/* The gates before an output, the last one first. */
static void say_gates(const struct cvm_manifest *m, const struct cvm_output *o, json_t *list)
{
    int at = o->channel;
    while (at >= 0 && m->components[m->channels[at].from_component].gate) {
        int gate = m->channels[at].from_component, in[CVM_CHANNELS_MAX];
        say(list, "output",
            "Before it is sealed, \"%s\" passes the gate \"%s\" of %s, which may let it through, "
            "shorten it or refuse it (then nothing at all comes out), and sees nothing else.",
            o->id, m->components[gate].id, m->participants[m->components[gate].owner].id);
        at = cvm_manifest_inbound(m, CVM_CHANNEL_KIND_FILE, gate, in) ? in[0] : -1;
    }
}

static void say_outputs(const struct cvm_manifest *m, json_t *list)
{
    char size[40], when[40];
    bool rules = false;
    for (uint32_t i = 0; i < m->n_outputs; i++)
        rules |= m->outputs[i].n_release > 0;
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        const struct cvm_output *o = &m->outputs[i];
        CVM_AUTO_BUF struct cvm_buf who = {0}, rule = {0};
        join_participants(m, o->recipients, &who);
        for (uint32_t k = 0; k < o->n_release; k++) {
            CVM_AUTO_BUF struct cvm_buf by = {0};
            join_participants(m, o->release[k].by, &by);
            CVM_AUTO_FREE char *t =
                o->release[k].when == CVM_CONDITION_APPROVED
                    ? cvm_printf("approval of %s", or_none(&by))
                    : cvm_printf("not before %s by the clocks of %s",
                                 time_text(o->release[k].time, when), or_none(&by));
            join(&rule, t);
        }
        say(list, "output", "\"%s\" goes to %s, at most %s, %s.", o->id, or_none(&who),
            size_text(o->max_bytes, size),
            o->diagnostics ? "also when the run failed"
            : rule.len     ? "and only after the rule below"
            : rules        ? "when the rules of the other outputs hold"
                           : "as soon as all programs have ended well");
        if (rule.len)
            say(list, "output", "Nothing at all is handed over before, for \"%s\": %s.", o->id,
                cvm_buf_cstr(&rule));
        say_gates(m, o, list);
    }
    say(list, "output",
        "All outputs are handed over together or none; this manifest can run once, in one "
        "session.");
}

static void say_isolate(const struct cvm_manifest *m, json_t *list)
{
    const struct cvm_isolate *s = &m->isolate;
    CVM_AUTO_BUF struct cvm_buf platforms = {0};
    join_bits(s->platforms, platform_word, &platforms);
    say(list, "isolate", "It runs on %s with %u virtual CPUs and %llu MiB.", or_none(&platforms),
        s->vcpus, (unsigned long long)s->memory_mib);
    for (uint32_t i = 0; i < s->n_measurements; i++) {
        CVM_AUTO_FREE char *hex = cvm_hex(s->measurements[i], CVM_SHA384_LEN);
        say(list, "isolate", "Allowed measurement: sha384:%s.", hex);
    }
    if (s->any_chip)
        say(list, "isolate", "Any chip of the platform is accepted.");
    else
        say(list, "isolate", "Only %u named chip%s accepted.", s->n_chips,
            s->n_chips == 1 ? " is" : "s are");
    for (unsigned i = 0; i < CVM_PRODUCT_COUNT; i++) {
        const struct cvm_min_tcb *t = &s->min_tcb[i];
        if (t->present)
            say(list, "isolate",
                "On %s the firmware must be at least: bootloader %d, TEE %d, SNP %d, microcode %d.",
                cvm_product_word((enum cvm_product)i), t->bootloader, t->tee, t->snp, t->microcode);
    }
    if (s->id_block.present)
        say(list, "isolate",
            "The launch must be signed (ID block) by one of %u named keys%s, for version %u of the "
            "guest or later.",
            s->id_block.n_id_keys,
            s->id_block.n_author_keys ? ", certified by a named author key" : "",
            s->id_block.guest_svn);
}

json_t *cvm_manifest_explain(const struct cvm_manifest *m)
{
    char spoken[CVM_SPOKEN_LEN], digest[CVM_DIGEST_TEXT], when[40];
    json_t *list = json_array();
    say_warnings(m, list);
    say(list, "digest", "\"%s\", collaboration %s, manifest %s.", m->title, m->collaboration,
        cvm_digest_text(&m->digest, digest));
    say(list, "digest", "To compare over the phone: %s", cvm_digest_spoken(&m->digest, spoken));
    say_learns(m, list);
    say_data(m, list);
    say_code(m, list);
    say_calls(m, list);
    say_instances(m, list);
    say_outputs(m, list);
    say_isolate(m, list);
    say(list, "time", "Nobody releases or starts it after %s.", time_text(m->not_after, when));
    return list;
}

/* Lines of at most `width` bytes where a blank allows it, the second and further ones indented. */
static void wrap(const char *text, unsigned width, struct cvm_buf *out)
{
    size_t column = 2;
    cvm_buf_append_str(out, "  ");
    for (bool first = true; *text; first = false) {
        size_t len = strcspn(text, " ");
        if (!first && width && column + 1 + len > width) {
            cvm_buf_append_str(out, "\n    ");
            column = 4;
        } else if (!first) {
            cvm_buf_append_u8(out, ' ');
            column++;
        }
        cvm_buf_append(out, text, len);
        column += len;
        text += len;
        if (*text == ' ')
            text++;
    }
    cvm_buf_append_u8(out, '\n');
}

void cvm_explain_text(const json_t *list, unsigned width, struct cvm_buf *out)
{
    const char *last = "";
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry)
    {
        const char *head = json_string_value(json_object_get(entry, "topic")) ?: "";
        const char *risk = json_string_value(json_object_get(entry, "risk"));
        const char *place = json_string_value(json_object_get(entry, "place"));
        const char *text = json_string_value(json_object_get(entry, "text")) ?: "";
        head = risk ?: head;
        if (strcmp(head, last) != 0) {
            cvm_buf_append_str(out, head);
            cvm_buf_append_str(out, risk ? " risk\n" : "\n");
            last = head;
        }
        CVM_AUTO_FREE char *line = place ? cvm_printf("%s: %s", place, text) : cvm_strdup(text);
        wrap(line, width, out);
    }
}
