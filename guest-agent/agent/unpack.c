#include "guest-agent/agent/unpack.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/base/cursor.h"
#include "guest-agent/agent/agent.h"

/* lz4_Frame_format.md and lz4_Block_format.md of the LZ4 project, version 1.6. */
#define MAGIC 0x184D2204u
#define FLAGS_MASK 0xdfu       /* all but whether blocks use each other, which may be so or not */
#define FLAGS_WANTED 0x48u     /* version 01 with the size, no checksum, no dictionary */
#define NOT_PACKED 0x80000000u /* in a block's length: it is stored as it is */
#define MATCH_MIN 4

struct output {
    uint8_t *at, *begin, *end;
};

static uint64_t read_head(struct cvm_cursor *c)
{
    uint32_t magic = cvm_cursor_u32le(c);
    uint8_t flags = cvm_cursor_u8(c);
    (void)cvm_cursor_u8(c); /* largest block: the output is one buffer */
    uint64_t size = cvm_cursor_u64le(c);
    (void)cvm_cursor_u8(c); /* checksum of the head: it is measured */
    bool good = !c->failed && magic == MAGIC && (flags & FLAGS_MASK) == FLAGS_WANTED;
    return good && size <= CVM_UNPACKED_MAX ? size : 0;
}

uint64_t cvm_unpacked_size(struct cvm_bytes packed)
{
    struct cvm_cursor c = cvm_cursor(packed.data, packed.len);
    return read_head(&c);
}

/* A length that begins in four bits and goes on in bytes while they are full. */
static size_t read_length(struct cvm_cursor *c, size_t first)
{
    size_t n = first;
    for (uint8_t more = first == 15 ? 255 : 0; more == 255 && !c->failed;) {
        more = cvm_cursor_u8(c);
        n += more;
    }
    return n;
}

static bool put(struct output *o, const uint8_t *from, size_t n)
{
    if (!from || n > (size_t)(o->end - o->at))
        return false;
    memcpy(o->at, from, n);
    o->at += n;
    return true;
}

/* What was written `back` bytes ago, perhaps running into what is being written. */
static bool put_match(struct output *o, size_t back, size_t n)
{
    if (!back || back > (size_t)(o->at - o->begin) || n > (size_t)(o->end - o->at))
        return false;
    const uint8_t *from = o->at - back;
    while (n) {
        size_t part = back < n ? back : n;
        memcpy(o->at, from, part);
        o->at += part;
        n -= part;
        back += part;
    }
    return true;
}

static bool unpack_block(struct cvm_cursor *c, struct output *o)
{
    while (cvm_cursor_left(c)) {
        uint8_t token = cvm_cursor_u8(c);
        size_t literals = read_length(c, token >> 4);
        if (!put(o, cvm_cursor_take(c, literals), literals))
            return false;
        if (!cvm_cursor_left(c))
            return !c->failed; /* the last sequence has no match */
        size_t back = cvm_cursor_u16le(c);
        size_t n = read_length(c, token & 15) + MATCH_MIN;
        if (c->failed || !put_match(o, back, n))
            return false;
    }
    return true;
}

int cvm_unpack(struct cvm_bytes packed, uint8_t *out, uint64_t size, struct cvm_error *err)
{
    struct cvm_cursor c = cvm_cursor(packed.data, packed.len);
    struct output o = {.at = out, .begin = out, .end = out + size};
    CVM_ENSURE(size && read_head(&c) == size, err, CVM_E_INTERNAL, "no packed program");
    for (uint32_t head; (head = cvm_cursor_u32le(&c)) && !c.failed;) {
        size_t len = head & ~NOT_PACKED;
        const uint8_t *data = cvm_cursor_take(&c, len);
        struct cvm_cursor block = cvm_cursor(data, data ? len : 0);
        bool good = data && (head & NOT_PACKED ? put(&o, data, len) : unpack_block(&block, &o));
        CVM_ENSURE(good, err, CVM_E_INTERNAL, "a packed program is broken");
    }
    CVM_ENSURE(cvm_cursor_done(&c) && o.at == o.end, err, CVM_E_INTERNAL,
               "a packed program is not whole");
    return 0;
}

static int unpack_into(struct cvm_bytes packed, uint64_t size, int fd, struct cvm_error *err)
{
    if (ftruncate(fd, (off_t)size) < 0)
        return cvm_fail_errno(err, "no memory for a program");
    uint8_t *out = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (out == MAP_FAILED)
        return cvm_fail_errno(err, "no memory for a program");
    int rc = cvm_unpack(packed, out, size, err);
    munmap(out, size);
    CVM_GUARD(rc);
    return cvm_memory_file_seal(fd, err);
}

int cvm_unpack_program(int *fd, struct cvm_error *err)
{
    uint8_t head[16] = {0};
    struct stat st;
    ssize_t n = pread(*fd, head, sizeof head, 0);
    uint64_t size = n > 0 ? cvm_unpacked_size(CVM_BYTES(head, (size_t)n)) : 0;
    if (!size)
        return 0; /* an executable file as it is, or one that cannot be executed */
    if (fstat(*fd, &st) < 0)
        return cvm_fail_errno(err, "a program can't be read");
    /* Not cvm_memory_file(): those can never be executed. */
    CVM_AUTO_CLOSE int out = memfd_create("program", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (out < 0)
        return cvm_fail_errno(err, "no memory file");
    void *packed = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, *fd, 0);
    if (packed == MAP_FAILED)
        return cvm_fail_errno(err, "a program can't be read");
    int rc = unpack_into(CVM_BYTES(packed, (size_t)st.st_size), size, out, err);
    munmap(packed, (size_t)st.st_size);
    CVM_GUARD(rc);
    /* A file that is open for writing is not executed. */
    int view = cvm_memory_file_view(out, err);
    CVM_GUARD(view);
    close(*fd);
    *fd = view;
    return 0;
}
