#include "core/evidence/ovmf.h"

#include <string.h>

#include "core/base/cursor.h"

#define BAD CVM_E_MEASURE_IMAGE
#define FROM_END 32 /* the table ends this far before the image's end */
#define ENTRY 18    /* u16 size and GUID at the end of each entry */

/* GUIDs as they lie in the image: the first three parts little-endian. */
static const uint8_t guid_footer[16] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                                        0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
static const uint8_t guid_reset[16] = {0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb, 0x4f,
                                       0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e};
static const uint8_t guid_hashes[16] = {0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b,
                                        0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54};
static const uint8_t guid_metadata[16] = {0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47,
                                          0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc};

struct table {
    const uint8_t *start;
    size_t len; /* without the footer */
};

static int find_table(struct cvm_bytes image, struct table *ret, struct cvm_error *err)
{
    const uint8_t *p = image.data;
    CVM_ENSURE(image.len >= FROM_END + ENTRY, err, BAD, "the image is too small to be an OVMF");
    size_t end = image.len - FROM_END;
    CVM_ENSURE(memcmp(p + end - 16, guid_footer, 16) == 0, err, BAD,
               "the image has no table of GUIDs at its end: no OVMF, or one without SEV support");
    size_t size = p[end - 18] | (size_t)p[end - 17] << 8;
    CVM_ENSURE(size >= ENTRY && size <= end, err, BAD, "the table of GUIDs has a wrong size");
    ret->start = p + end - size;
    ret->len = size - ENTRY;
    return 0;
}

/* The data of an entry, found from the end backwards; twice the same GUID is refused. */
static int find_entry(const struct table *t, const uint8_t guid[16], struct cvm_bytes *ret,
                      struct cvm_error *err)
{
    *ret = CVM_BYTES(NULL, 0);
    for (size_t end = t->len; end > 0;) {
        CVM_ENSURE(end >= ENTRY, err, BAD, "the table of GUIDs is broken");
        size_t size = t->start[end - 18] | (size_t)t->start[end - 17] << 8;
        CVM_ENSURE(size >= ENTRY && size <= end, err, BAD, "the table of GUIDs is broken");
        if (memcmp(t->start + end - 16, guid, 16) == 0) {
            CVM_ENSURE(!ret->data, err, BAD, "an entry stands twice in the table of GUIDs");
            *ret = CVM_BYTES(t->start + end - size, size - ENTRY);
        }
        end -= size;
    }
    return 0;
}

static int read_sections(struct cvm_bytes image, uint32_t from_end, struct cvm_ovmf *o,
                         struct cvm_error *err)
{
    CVM_ENSURE(from_end <= image.len, err, BAD, "the SEV metadata lies outside the image");
    struct cvm_cursor c = cvm_cursor((const uint8_t *)image.data + image.len - from_end, from_end);
    const uint8_t *magic = cvm_cursor_take(&c, 4);
    uint32_t size = cvm_cursor_u32le(&c), version = cvm_cursor_u32le(&c);
    o->n_sections = cvm_cursor_u32le(&c);
    CVM_ENSURE(!c.failed && memcmp(magic, "ASEV", 4) == 0, err, BAD,
               "the SEV metadata has another signature");
    CVM_ENSURE(version == 1, err, BAD, "SEV metadata of the unknown version %u", version);
    CVM_ENSURE(o->n_sections <= CVM_OVMF_SECTIONS_MAX && size == 16 + 12 * o->n_sections, err, BAD,
               "the SEV metadata has a wrong size");
    for (uint32_t i = 0; i < o->n_sections; i++) {
        struct cvm_ovmf_section *s = &o->sections[i];
        s->gpa = cvm_cursor_u32le(&c);
        s->size = cvm_cursor_u32le(&c);
        s->type = cvm_cursor_u32le(&c);
        CVM_ENSURE(!c.failed && s->size > 0 && s->size % 4096 == 0 && s->gpa % 4096 == 0 &&
                       s->size <= 256u << 20 && s->gpa + (uint64_t)s->size <= 1ull << 32,
                   err, BAD, "section %u of the SEV metadata is broken", i);
    }
    return 0;
}

int cvm_ovmf_parse(struct cvm_bytes image, struct cvm_ovmf *ret, struct cvm_error *err)
{
    struct table t;
    struct cvm_bytes reset, hashes, metadata;
    struct cvm_ovmf o = {0};
    CVM_GUARD(find_table(image, &t, err));
    CVM_GUARD(find_entry(&t, guid_reset, &reset, err));
    CVM_GUARD(find_entry(&t, guid_hashes, &hashes, err));
    CVM_GUARD(find_entry(&t, guid_metadata, &metadata, err));
    CVM_ENSURE(reset.data && reset.len >= 4, err, BAD,
               "the image does not say where processors start (SEV-ES reset block)");
    CVM_ENSURE(metadata.data && metadata.len >= 4, err, BAD, "the image has no SEV metadata");
    struct cvm_cursor c = cvm_cursor(reset.data, 4);
    o.reset_eip = cvm_cursor_u32le(&c);
    if (hashes.data) {
        CVM_ENSURE(hashes.len >= 8, err, BAD, "the place for kernel hashes is broken");
        c = cvm_cursor(hashes.data, 8);
        o.hashes_base = cvm_cursor_u32le(&c);
        o.hashes_size = cvm_cursor_u32le(&c);
    }
    c = cvm_cursor(metadata.data, 4);
    CVM_GUARD(read_sections(image, cvm_cursor_u32le(&c), &o, err));
    *ret = o;
    return 0;
}
