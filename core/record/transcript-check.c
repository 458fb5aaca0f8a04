/* Reading a whole transcript that the host hands out: foreign bytes until its head was compared
 * with attested evidence. */
#include "core/record/transcript.h"

#include <string.h>

struct checker {
    const struct cvm_manifest *m;
    struct cvm_transcript_summary s;
    uint64_t seq[CVM_PARTICIPANTS_MAX];
    bool ended;                   /* the last possible entry was seen */
    int pending;                  /* the move that the entry before demands (a cvm_phase), or -1 */
    enum cvm_code pending_reason; /* and the reason of a move to aborted */
};

static bool is_code(const char *name, enum cvm_code *ret)
{
    for (size_t i = 0; i < cvm_code_count(); i++) {
        if (strcmp(cvm_code_at(i)->name, name) == 0) {
            *ret = cvm_code_at(i)->code;
            return true;
        }
    }
    return false;
}

static void read_refused(struct cvm_json_reader *r, struct checker *c)
{
    json_t *counts = cvm_json_object(r, "refused"), *count;
    const char *name;
    json_object_foreach(counts, name, count)
    {
        enum cvm_code code;
        json_int_t n = json_integer_value(count);
        if (!is_code(name, &code) || !json_is_integer(count) || n < 1 || n > UINT32_MAX) {
            cvm_json_fail(r, CVM_E_TRANSCRIPT_BROKEN, "\"refused\": \"%.40s\"", name);
            return;
        }
        c->s.refused += (uint64_t)n;
    }
}

/* Where an act of this kind may stand; the same rules as core/policy. */
static bool act_fits(const struct checker *c, int kind, int participant)
{
    enum cvm_phase p = c->s.phase;
    if (p < CVM_PHASE_LOCKED || p > CVM_PHASE_WAITING || c->pending >= 0)
        return false;
    if (kind == CVM_ACT_RELEASE)
        return p <= CVM_PHASE_FILLING && !(c->s.released >> participant & 1);
    if (kind == CVM_ACT_WITHDRAW)
        return p <= CVM_PHASE_FILLING;
    if (kind == CVM_ACT_ITEM)
        return p == CVM_PHASE_RUNNING;
    return kind != CVM_ACT_APPROVE || p == CVM_PHASE_WAITING;
}

static void read_act(struct cvm_json_reader *r, struct checker *c)
{
    const char *word = cvm_json_string(r, "act"), *participant = cvm_json_string(r, "participant");
    struct cvm_digest digest = cvm_json_digest(r, "digest");
    uint64_t seq = (uint64_t)cvm_json_int(r, "seq", 1, CVM_JSON_INT_MAX);
    if (r->failed)
        return;
    int kind = cvm_act_kind_by_word(word), p = cvm_manifest_participant(c->m, participant);
    if (kind < 0 || p < 0 || !act_fits(c, kind, p)) {
        cvm_json_fail(r, CVM_E_TRANSCRIPT_BROKEN, "act \"%.40s\" of \"%.64s\" can't stand here",
                      word, participant);
        return;
    }
    if (seq <= c->seq[p]) {
        cvm_json_fail(r, CVM_E_TRANSCRIPT_BROKEN, "sequence number %llu of \"%s\" does not grow",
                      (unsigned long long)seq, participant);
        return;
    }
    c->seq[p] = seq;
    if (kind == CVM_ACT_RELEASE) {
        c->s.released |= UINT32_C(1) << p;
        c->pending = c->s.phase == CVM_PHASE_LOCKED ? CVM_PHASE_FILLING : -1;
    }
    if (kind == CVM_ACT_ABORT || kind == CVM_ACT_WITHDRAW) {
        c->pending = CVM_PHASE_ABORTED;
        c->pending_reason = kind == CVM_ACT_ABORT ? CVM_E_ABORTED : CVM_E_WITHDRAWN;
        c->s.stopped = true;
        c->s.stopped_by = p;
        c->s.stopped_act = digest;
    }
}

static bool everyone_released(const struct checker *c)
{
    return c->s.released == (uint32_t)((UINT64_C(1) << c->m->n_participants) - 1);
}

static void read_move(struct cvm_json_reader *r, struct checker *c)
{
    const char *from_word = cvm_json_string(r, "from"), *to_word = cvm_json_string(r, "to");
    int from = cvm_phase_by_word(from_word), to = cvm_phase_by_word(to_word);
    if (r->failed)
        return;
    bool fits = from >= 0 && to >= 0 && from == (int)c->s.phase && cvm_phase_may_move(from, to) &&
                (c->pending < 0 ? to != CVM_PHASE_FILLING : to == c->pending) &&
                (to != CVM_PHASE_SEALED || everyone_released(c));
    if (!fits) {
        cvm_json_fail(r, CVM_E_TRANSCRIPT_BROKEN,
                      "the move from \"%.20s\" to \"%.20s\" can't stand here", from_word, to_word);
        return;
    }
    c->pending = -1;
    c->s.phase = (enum cvm_phase)to;
    c->s.has_waiting |= to == CVM_PHASE_WAITING;
    c->s.failed |= from == CVM_PHASE_RUNNING && to == CVM_PHASE_RELEASING;
    c->ended = to == CVM_PHASE_CLOSED || to == CVM_PHASE_ABORTED;
    if (to == CVM_PHASE_CLOSED) {
        c->s.receipt = cvm_json_digest(r, "receipt");
        c->s.has_receipt = true;
    }
    if (to == CVM_PHASE_ABORTED) {
        const char *reason = cvm_json_string(r, "reason");
        if (!r->failed && !is_code(reason, &c->s.reason))
            cvm_json_fail(r, CVM_E_TRANSCRIPT_BROKEN, "\"reason\" is \"%.40s\"", reason);
        /* The reason of an act and the act come together; `aborted` is also a fault's word. */
        if (!r->failed &&
            (c->s.stopped ? c->s.reason != c->pending_reason : c->s.reason == CVM_E_WITHDRAWN))
            cvm_json_fail(r, CVM_E_TRANSCRIPT_BROKEN, "\"reason\" is not that of the act before");
    }
}

static int read_entry(struct checker *c, const void *line, size_t len, struct cvm_error *err)
{
    CVM_ENSURE(!c->ended, err, CVM_E_TRANSCRIPT_BROKEN, "it goes on after its end");
    CVM_AUTO_JSON json_t *o = cvm_json_parse_canonical(line, len, err);
    if (!o)
        return -1;
    struct cvm_json_reader r;
    cvm_json_begin(&r, o, "", err);
    uint64_t n = (uint64_t)cvm_json_int(&r, "n", 1, CVM_JSON_INT_MAX);
    if (!r.failed && n != c->s.n + 1)
        cvm_json_fail(&r, CVM_E_TRANSCRIPT_BROKEN, "\"n\" is %llu", (unsigned long long)n);
    read_refused(&r, c);
    const char *type = cvm_json_string(&r, "type");
    if (!r.failed && strcmp(type, "act") == 0)
        read_act(&r, c);
    else if (!r.failed && strcmp(type, "move") == 0)
        read_move(&r, c);
    else
        cvm_json_fail(&r, CVM_E_TRANSCRIPT_BROKEN, "\"type\" is \"%.20s\"", type);
    bool to_waiting = !r.failed && c->s.phase == CVM_PHASE_WAITING && !c->s.waiting_n;
    CVM_GUARD(cvm_json_end(&r));

    c->s.before_n = c->s.n;
    c->s.before_head = c->s.head;
    c->s.head = cvm_transcript_next(&c->s.head, line, len);
    c->s.n++;
    if (to_waiting) {
        c->s.waiting_n = c->s.n;
        c->s.waiting_head = c->s.head;
    }
    return 0;
}

json_t *cvm_transcript_entry(const struct cvm_buf *lines, size_t *at)
{
    if (*at >= lines->len)
        return NULL;
    const uint8_t *line = lines->data + *at, *nl = memchr(line, '\n', lines->len - *at);
    size_t len = nl ? (size_t)(nl - line) : lines->len - *at;
    *at += len + 1;
    return json_loadb((const char *)line, len, 0, NULL);
}

int cvm_transcript_check(const struct cvm_manifest *m, const void *data, size_t len,
                         struct cvm_transcript_summary *ret, struct cvm_error *err)
{
    CVM_ENSURE(len <= CVM_TRANSCRIPT_MAX, err, CVM_E_TOO_LARGE, "a transcript of %zu bytes", len);
    struct cvm_transcript start;
    cvm_transcript_start(&start, &m->digest);
    struct checker c = {.m = m, .s = {.head = start.head, .phase = CVM_PHASE_EMPTY}, .pending = -1};
    const char *p = data, *end = p + len;
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        struct cvm_error e = {0};
        CVM_ENSURE(nl, err, CVM_E_TRANSCRIPT_BROKEN, "line %llu has no end",
                   (unsigned long long)c.s.n + 1);
        if (read_entry(&c, p, (size_t)(nl - p), &e) < 0)
            return cvm_fail_expected(err, CVM_E_TRANSCRIPT_BROKEN, e.expected, e.got,
                                     "line %llu: %s", (unsigned long long)c.s.n + 1, e.message);
        p = nl + 1;
    }
    CVM_ENSURE(c.pending < 0, err, CVM_E_TRANSCRIPT_BROKEN,
               "the move to \"%s\" is missing after line %llu",
               cvm_phase_word((enum cvm_phase)c.pending), (unsigned long long)c.s.n);
    *ret = c.s;
    return 0;
}
