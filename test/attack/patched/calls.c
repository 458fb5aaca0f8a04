/*
 * The patched runner: 2cvm-cell of its own sources, but for this in the place of
 * guest-agent/cell/calls.c, which it contains whole. A cell whose component's id names a lie tells
 * it; every other one is as honest as the product. Only the attacks build it; its image has another
 * measurement, as every other program would have.
 */
#define cvm_cell_calls_open honest_calls_open
#include "guest-agent/cell/calls.c"
#undef cvm_cell_calls_open

#include <fcntl.h>
#include <string.h>
#include <time.h>

int cvm_cell_calls_open(const struct cvm_cell_spec *spec, struct cvm_cell_calls *ret,
                        struct cvm_error *err) CVM_MUST_USE;

enum { FN_COUNT, FN_ECHO, FN_JOIN, FN_LARGEST, FN_MOVE, FN_SPIN, FN_TRAP, FN_TURN };
enum side { ARGUMENTS, RESULTS };

struct lie {
    const char *id;
    void (*before)(const struct cvm_cell_spec *spec); /* descriptors as they came */
    int (*call)(void *context, uint32_t channel, uint32_t function, size_t bytes,
                size_t *ret_bytes);
    int (*ready)(void *context);
    int (*next)(void *context, uint32_t *ret_channel, uint32_t *ret_function, size_t *ret_bytes);
    int (*reply)(void *context, uint32_t channel, uint32_t function, size_t bytes);
    uint64_t told; /* a length; 0: one above the region's */
};
static const struct lie *lie; /* the one of this cell; NULL: none */

static void wait_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&t, NULL);
}

static _Noreturn void wait_for_ever(void)
{
    for (;;)
        wait_ms(100000);
}

static int say(unsigned kind, unsigned channel, unsigned function, uint64_t bytes)
{
    return ring((struct cvm_bell){(uint16_t)kind, (uint16_t)channel, function, bytes});
}

/* ------------------------------------------------------------------- values */

struct edit {
    const char *id;
    enum side side;
    uint32_t function;
    int at;
    unsigned width;
    uint32_t value;
    int bytes;
};
static const struct edit edits[] = {
#define EDIT(id, side, function, at, width, value, bytes, why)                                     \
    {#id, side, function, at, width, value, bytes},
#include "test/attack/patched/edits.def"
};
static const struct edit *edit; /* the one to make */

/* Returns the length to tell. */
static size_t changed(const struct cvm_engine_channel *at, uint32_t function, size_t bytes)
{
    if (function != edit->function)
        return bytes;
    size_t from = edit->at < 0 ? bytes - (size_t)-edit->at : (size_t)edit->at;
    memcpy(at->region + from, &edit->value, edit->width);
    return (size_t)((int64_t)bytes + edit->bytes);
}

static int call_changed(void *context, uint32_t channel, uint32_t function, size_t bytes,
                        size_t *ret_bytes)
{
    const struct cvm_cell_calls *c = context;
    bytes = changed(find(c->engine.imports, c->engine.n_imports, channel), function, bytes);
    return call(context, channel, function, bytes, ret_bytes);
}

static int reply_changed(void *context, uint32_t channel, uint32_t function, size_t bytes)
{
    const struct cvm_cell_calls *c = context;
    bytes = changed(find(c->engine.exports, c->engine.n_exports, channel), function, bytes);
    return reply(context, channel, function, bytes);
}

static const struct lie changes[] = {
    [ARGUMENTS] = {.call = call_changed}, [RESULTS] = {.reply = reply_changed}};

/* ------------------------------------------------------------------ lengths */

static uint64_t told_of(const struct cvm_engine_channel *at)
{
    return lie->told ? lie->told : at->bytes + 1;
}

static int call_of_length(void *context, uint32_t channel, uint32_t function, size_t bytes,
                          size_t *ret_bytes)
{
    const struct cvm_cell_calls *c = context;
    bytes = told_of(find(c->engine.imports, c->engine.n_imports, channel));
    return call(context, channel, function, bytes, ret_bytes);
}

static int reply_of_length(void *context, uint32_t channel, uint32_t function, size_t bytes)
{
    const struct cvm_cell_calls *c = context;
    bytes = told_of(find(c->engine.exports, c->engine.n_exports, channel));
    return reply(context, channel, function, bytes);
}

/* ------------------------------------------------------------------ regions */

/* The region of its callers and the one of what it calls become the same memory. */
static void callers_region_for_both(const struct cvm_cell_spec *spec)
{
    dup2(spec->calls[0].fd, spec->calls[1].fd);
}

static void callees_region_for_both(const struct cvm_cell_spec *spec)
{
    dup2(spec->calls[1].fd, spec->calls[0].fd);
}

static bool has(const struct cvm_engine_channel *c, size_t from, int byte)
{
    return memchr(c->region + from, byte, c->bytes - from) != NULL;
}

#define CALLEES 0xaa
#define CALLERS 0x55
#define STEP_MS 500

/* Between ringing and the reply it looks for what the callee writes meanwhile (write_meanwhile),
 * and writes itself. Only the reply's own bytes may come. */
static int call_and_watch(void *context, uint32_t channel, uint32_t function, size_t bytes,
                          size_t *ret_bytes)
{
    const struct cvm_cell_calls *c = context;
    const struct cvm_engine_channel *to = find(c->engine.imports, c->engine.n_imports, channel);
    struct cvm_bell bell;
    if (say(CVM_BELL_CALL, channel, function, bytes) < 0)
        return -1;
    wait_ms(STEP_MS);
    if (has(to, bytes, CALLEES))
        _exit(3);
    memset(to->region + bytes, CALLERS, to->bytes - bytes);
    if (listen_for(&bell) < 0 || bell.kind != CVM_BELL_REPLY || bell.bytes != bytes)
        return -1;
    for (size_t i = bytes; i < to->bytes; i++)
        if (to->region[i] != CALLERS)
            _exit(3);
    *ret_bytes = bytes;
    return 0;
}

/* Answers by itself: writes over all of its region but the value, waits, looks for what the caller
 * has written, and gives the value back as it came. */
static int write_meanwhile(void *context, uint32_t *ret_channel, uint32_t *ret_function,
                           size_t *ret_bytes)
{
    struct cvm_cell_calls *c = context;
    struct cvm_bell bell;
    (void)ret_channel;
    (void)ret_function;
    (void)ret_bytes;
    while (listen_for(&bell) == 0 && bell.kind == CVM_BELL_CALL) {
        const struct cvm_engine_channel *at =
            find(c->engine.exports, c->engine.n_exports, bell.channel);
        for (size_t i = bell.bytes; i < at->bytes; i++)
            if (at->region[i] != 0 && at->region[i] != CALLEES)
                _exit(3); /* more than the value came */
        memset(at->region + bell.bytes, CALLEES, at->bytes - bell.bytes);
        wait_ms(3 * STEP_MS);
        if (has(at, bell.bytes, CALLERS) ||
            say(CVM_BELL_REPLY, bell.channel, bell.function, bell.bytes) < 0)
            _exit(3);
    }
    return bell.kind == CVM_BELL_END ? 0 : -1;
}

/* -------------------------------------------------- changes during the copy */

#define ROUNDS 60

static void never_wait(const struct cvm_cell_spec *spec)
{
    (void)spec;
    (void)fcntl(CVM_FD_DOORBELL, F_SETFL, O_NONBLOCK);
}

/* Calls again and again, and writes over `len` bytes at `at` until the answer is there. */
static int call_and_scribble(const struct cvm_engine_channel *to, uint32_t function, size_t bytes,
                             size_t at, size_t len)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct cvm_bell bell;
        ssize_t n = -1;
        if (say(CVM_BELL_CALL, to->channel, function, bytes) < 0)
            return -1;
        for (unsigned i = 0; n < 0; i++) {
            memset(to->region + at, (int)(i & 1 ? 0xff : 0), len);
            n = read(CVM_FD_DOORBELL, &bell, sizeof bell);
            if (n < 0 && errno != EAGAIN)
                return -1;
        }
        if (n != sizeof bell || bell.kind != CVM_BELL_REPLY)
            return -1;
        uint32_t count = (uint32_t)bytes - 4;
        memcpy(to->region, &count, sizeof count);
    }
    return 0;
}

static int call_scribbled(void *context, uint32_t channel, uint32_t function, size_t bytes,
                          size_t *ret_bytes, bool count)
{
    const struct cvm_cell_calls *c = context;
    const struct cvm_engine_channel *to = find(c->engine.imports, c->engine.n_imports, channel);
    size_t at = count ? 0 : 4;
    int r = call_and_scribble(to, function, bytes, at, count ? 4 : bytes - at);
    (void)fcntl(CVM_FD_DOORBELL, F_SETFL, 0);
    *ret_bytes = bytes; /* a list of bytes, whatever they are */
    return r;
}

static int call_scribble_content(void *context, uint32_t channel, uint32_t function, size_t bytes,
                                 size_t *ret_bytes)
{
    if (call_scribbled(context, channel, function, bytes, ret_bytes, false) < 0)
        return -1;
    /* The component compares what came with what it sent. */
    const struct cvm_cell_calls *c = context;
    uint8_t *region = find(c->engine.imports, c->engine.n_imports, channel)->region;
    uint32_t n = (uint32_t)bytes - 4;
    for (uint32_t i = 0; i < n; i++)
        region[4 + i] = (uint8_t)(i * 7 + n);
    return 0;
}

static int call_scribble_count(void *context, uint32_t channel, uint32_t function, size_t bytes,
                               size_t *ret_bytes)
{
    return call_scribbled(context, channel, function, bytes, ret_bytes, true);
}

/* The victim looks itself: what it was given stays as it is while it works on it. */
static int next_and_read_twice(void *context, uint32_t *ret_channel, uint32_t *ret_function,
                               size_t *ret_bytes)
{
    const struct cvm_cell_calls *c = context;
    static uint8_t seen[1 << 20];
    int r = next(context, ret_channel, ret_function, ret_bytes);
    if (r != 1)
        return r;
    const uint8_t *region = find(c->engine.exports, c->engine.n_exports, *ret_channel)->region;
    size_t n = *ret_bytes < sizeof seen ? *ret_bytes : sizeof seen;
    memcpy(seen, region, n);
    wait_ms(3);
    if (memcmp(seen, region, n) != 0)
        _exit(3);
    return 1;
}

/* -------------------------------------------------------------- out of turn */

/* One more message before the right one, or in its place. */
#define CALL_AFTER(name, ...)                                                                      \
    static int name(void *context, uint32_t channel, uint32_t function, size_t bytes,              \
                    size_t *ret_bytes)                                                             \
    {                                                                                              \
        return say(__VA_ARGS__) < 0 ? -1 : call(context, channel, function, bytes, ret_bytes);     \
    }
CALL_AFTER(call_twice, CVM_BELL_CALL, channel, function, bytes)
CALL_AFTER(call_other_channel, CVM_BELL_CALL, channel + 1, function, bytes)
CALL_AFTER(call_far_channel, CVM_BELL_CALL, UINT16_MAX, function, bytes)
CALL_AFTER(call_no_function, CVM_BELL_CALL, channel, 8, bytes)
CALL_AFTER(call_far_function, CVM_BELL_CALL, channel, UINT32_MAX, bytes)
CALL_AFTER(reply_to_nothing, CVM_BELL_REPLY, channel, function, bytes)
CALL_AFTER(say_ready, CVM_BELL_READY, 0, 0, 0)
CALL_AFTER(say_end, CVM_BELL_END, 0, 0, 0)
CALL_AFTER(say_nothing, 0, 0, 0, 0)
CALL_AFTER(say_unknown, 4711, channel, function, bytes)

static int call_cut(void *context, uint32_t channel, uint32_t function, size_t bytes,
                    size_t *ret_bytes)
{
    struct cvm_bell bell = {CVM_BELL_CALL, (uint16_t)channel, function, bytes};
    return write(CVM_FD_DOORBELL, &bell, sizeof bell - 1) < 0
               ? -1
               : call(context, channel, function, bytes, ret_bytes);
}

/* Ends well, although its call is open. */
static int call_and_leave(void *context, uint32_t channel, uint32_t function, size_t bytes,
                          size_t *ret_bytes)
{
    static struct cvm_cell_result fine = {.magic = CVM_CELL_RESULT_MAGIC, .n_outputs = 1};
    (void)context;
    (void)ret_bytes;
    if (say(CVM_BELL_CALL, channel, function, bytes) < 0 ||
        write(CVM_FD_RESULT, &fine, sizeof fine) != sizeof fine)
        _exit(3);
    _exit(0);
}

static int ready_never(void *context)
{
    (void)context;
    wait_for_ever();
}

static int ready_twice(void *context)
{
    return ready(context) < 0 ? -1 : ready(context);
}

static int ready_with_bytes(void *context)
{
    (void)context;
    return say(CVM_BELL_READY, 0, 0, 1);
}

static int reply_before_ready(void *context)
{
    const struct cvm_cell_calls *c = context;
    return say(CVM_BELL_REPLY, c->engine.exports[0].channel, FN_ECHO, 0) < 0 ? -1 : ready(context);
}

static int reply_unasked(void *context)
{
    const struct cvm_cell_calls *c = context;
    return ready(context) < 0 ? -1 : say(CVM_BELL_REPLY, c->engine.exports[0].channel, FN_ECHO, 0);
}

static int reply_never(void *context, uint32_t channel, uint32_t function, size_t bytes)
{
    (void)context;
    (void)channel;
    (void)function;
    (void)bytes;
    wait_for_ever();
}

static int reply_twice(void *context, uint32_t channel, uint32_t function, size_t bytes)
{
    return reply(context, channel, function, bytes) < 0 ? -1
                                                        : reply(context, channel, function, bytes);
}

static int reply_of_other_function(void *context, uint32_t channel, uint32_t function, size_t bytes)
{
    return reply(context, channel, function + 1, bytes);
}

static int reply_on_other_channel(void *context, uint32_t channel, uint32_t function, size_t bytes)
{
    return reply(context, channel + 1, function, bytes);
}

/* Takes its call, and calls back by the channel that it was called on. */
static int reply_by_call(void *context, uint32_t channel, uint32_t function, size_t bytes)
{
    size_t n;
    return say(CVM_BELL_CALL, channel, function, bytes) < 0
               ? -1
               : next(context, &channel, &function, &n);
}

/* A library calls on although nobody has called it. */
static int call_unasked(void *context)
{
    const struct cvm_cell_calls *c = context;
    return ready(context) < 0 ? -1 : say(CVM_BELL_CALL, c->engine.imports[0].channel, FN_COUNT, 0);
}

static int call_before_ready(void *context)
{
    const struct cvm_cell_calls *c = context;
    return say(CVM_BELL_CALL, c->engine.imports[0].channel, FN_COUNT, 0) < 0 ? -1 : ready(context);
}

/* Leaves before it was told to. */
static int next_never(void *context, uint32_t *ret_channel, uint32_t *ret_function,
                      size_t *ret_bytes)
{
    (void)context;
    (void)ret_channel;
    (void)ret_function;
    (void)ret_bytes;
    return 0;
}

/* Does not leave when it is told to. */
static int next_and_stay(void *context, uint32_t *ret_channel, uint32_t *ret_function,
                         size_t *ret_bytes)
{
    int r = next(context, ret_channel, ret_function, ret_bytes);
    if (r == 0)
        wait_for_ever();
    return r;
}

static const struct lie lies[] = {
    {"call-above-region", .call = call_of_length},
    {"call-endless", .call = call_of_length, .told = UINT64_MAX},
    {"call-wrapped", .call = call_of_length, .told = (1ull << 63) + 104},
    {"call-low-half", .call = call_of_length, .told = (1ull << 32) + 104},
    {"reply-above-region", .reply = reply_of_length},
    {"reply-endless", .reply = reply_of_length, .told = UINT64_MAX},
    {"reply-low-half", .reply = reply_of_length, .told = (1ull << 32) + 104},
    {"callers-region-for-both", .before = callers_region_for_both},
    {"callees-region-for-both", .before = callees_region_for_both},
    {"call-and-watch", .call = call_and_watch},
    {"write-meanwhile", .next = write_meanwhile},
    {"scribble-content", .before = never_wait, .call = call_scribble_content},
    {"scribble-count", .before = never_wait, .call = call_scribble_count},
    {"read-twice", .next = next_and_read_twice},
    {"call-twice", .call = call_twice},
    {"call-other-channel", .call = call_other_channel},
    {"call-far-channel", .call = call_far_channel},
    {"call-no-function", .call = call_no_function},
    {"call-far-function", .call = call_far_function},
    {"call-cut", .call = call_cut},
    {"call-and-leave", .call = call_and_leave},
    {"reply-to-nothing", .call = reply_to_nothing},
    {"say-ready", .call = say_ready},
    {"say-end", .call = say_end},
    {"say-nothing", .call = say_nothing},
    {"say-unknown", .call = say_unknown},
    {"ready-never", .ready = ready_never},
    {"ready-twice", .ready = ready_twice},
    {"ready-with-bytes", .ready = ready_with_bytes},
    {"reply-before-ready", .ready = reply_before_ready},
    {"reply-unasked", .ready = reply_unasked},
    {"reply-never", .reply = reply_never},
    {"reply-twice", .reply = reply_twice},
    {"reply-of-other-function", .reply = reply_of_other_function},
    {"reply-on-other-channel", .reply = reply_on_other_channel},
    {"reply-by-call", .reply = reply_by_call},
    {"call-unasked", .ready = call_unasked},
    {"call-before-ready", .ready = call_before_ready},
    {"next-never", .next = next_never},
    {"next-and-stay", .next = next_and_stay},
};

static bool same_id(const char *a, const char *b)
{
    while (*a && (*a == *b || (*a == '_' && *b == '-')))
        a++, b++;
    return *a == *b;
}

static const struct lie *lie_of(const char *id)
{
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++)
        if (same_id(edits[i].id, id)) {
            edit = &edits[i];
            return &changes[edit->side];
        }
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
        if (same_id(lies[i].id, id))
            return &lies[i];
    return NULL;
}

int cvm_cell_calls_open(const struct cvm_cell_spec *spec, struct cvm_cell_calls *ret,
                        struct cvm_error *err)
{
    lie = lie_of(spec->args[0]);
    if (lie && lie->before)
        lie->before(spec);
    CVM_GUARD(honest_calls_open(spec, ret, err));
    if (!lie)
        return 0;
    if (lie->call)
        ret->engine.call = lie->call;
    if (lie->ready)
        ret->engine.ready = lie->ready;
    if (lie->next)
        ret->engine.next = lie->next;
    if (lie->reply)
        ret->engine.reply = lie->reply;
    return 0;
}
