#include "core/evidence/measure-snp.h"

#include <string.h>

#include "core/evidence/ovmf.h"

#define BAD CVM_E_MEASURE_IMAGE
#define PAGE 4096u
#define VMSA_GPA 0xfffffffff000ull
#define BSP_EIP 0xfffffff0u
#define HASHES_LEN 168

enum page { PAGE_NORMAL = 1, PAGE_VMSA, PAGE_ZERO, PAGE_UNMEASURED, PAGE_SECRETS, PAGE_CPUID };

static const struct {
    const char *model;
    uint32_t signature;
} models[] = {
    {"EPYC", 0x800f12},          {"EPYC-v1", 0x800f12},      {"EPYC-v2", 0x800f12},
    {"EPYC-v3", 0x800f12},       {"EPYC-v4", 0x800f12},      {"EPYC-Rome", 0x830f10},
    {"EPYC-Rome-v1", 0x830f10},  {"EPYC-Rome-v2", 0x830f10}, {"EPYC-Rome-v3", 0x830f10},
    {"EPYC-Rome-v4", 0x830f10},  {"EPYC-Milan", 0xa00f11},   {"EPYC-Milan-v1", 0xa00f11},
    {"EPYC-Milan-v2", 0xa00f11}, {"EPYC-Genoa", 0xa10f10},   {"EPYC-Genoa-v1", 0xa10f10},
    {"EPYC-Turin", 0xb00f00},
};
#define MODELS (sizeof(models) / sizeof(models[0]))

uint32_t cvm_snp_vcpu_signature(const char *model)
{
    for (size_t i = 0; i < MODELS; i++)
        if (strcmp(models[i].model, model) == 0)
            return models[i].signature;
    return 0;
}

const char *cvm_snp_vcpu_model(size_t i)
{
    return i < MODELS ? models[i].model : NULL;
}

struct cvm_digest cvm_snp_cmdline_digest(const char *cmdline)
{
    return cvm_sha256(cmdline, strlen(cmdline) + 1);
}

static void put_le(uint8_t *p, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

/* PAGE_INFO of the firmware ABI: the new digest is over the old one and what the page is. */
static void extend(uint8_t ld[CVM_SHA384_LEN], enum page type, uint64_t gpa,
                   const uint8_t *contents)
{
    uint8_t info[0x70] = {0};
    memcpy(info, ld, CVM_SHA384_LEN);
    if (contents)
        cvm_sha384(contents, PAGE, info + CVM_SHA384_LEN);
    put_le(info + 96, sizeof(info), 2);
    info[98] = (uint8_t)type;
    put_le(info + 104, gpa, 8);
    cvm_sha384(info, sizeof(info), ld);
}

static void extend_all(uint8_t ld[CVM_SHA384_LEN], enum page type, uint64_t gpa, uint32_t size)
{
    for (uint32_t at = 0; at < size; at += PAGE)
        extend(ld, type, gpa + at, NULL);
}

/* ---- kernel hashes ---- */

static void put_entry(uint8_t **p, const uint8_t guid[16], const struct cvm_digest *d)
{
    memcpy(*p, guid, 16);
    put_le(*p + 16, 50, 2);
    memcpy(*p + 18, d->b, CVM_SHA256_LEN);
    *p += 50;
}

static void hashes_page(const struct cvm_snp_kernel *k, uint32_t offset, uint8_t page[PAGE])
{
    static const uint8_t table[16] = {0x06, 0xd6, 0x38, 0x94, 0x22, 0x4f, 0xc9, 0x4c,
                                      0xb4, 0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21};
    static const uint8_t cmdline[16] = {0xd8, 0x2d, 0xd0, 0x97, 0x20, 0xbd, 0x94, 0x4c,
                                        0xaa, 0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab, 0x2a};
    static const uint8_t initrd[16] = {0x31, 0xf7, 0xba, 0x44, 0x2f, 0x3a, 0xd7, 0x4b,
                                       0x9a, 0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d};
    static const uint8_t kernel[16] = {0x37, 0x94, 0xe7, 0x4d, 0xd2, 0xab, 0x7f, 0x42,
                                       0xb8, 0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b};
    memset(page, 0, PAGE);
    uint8_t *p = page + offset;
    memcpy(p, table, 16);
    put_le(p + 16, HASHES_LEN, 2);
    p += 18;
    put_entry(&p, cmdline, &k->cmdline);
    put_entry(&p, initrd, &k->initrd);
    put_entry(&p, kernel, &k->kernel);
}

static int extend_hashes(uint8_t ld[CVM_SHA384_LEN], const struct cvm_ovmf *o,
                         const struct cvm_ovmf_section *s, const struct cvm_snp_kernel *k,
                         struct cvm_error *err)
{
    if (!k) {
        extend_all(ld, PAGE_ZERO, s->gpa, s->size);
        return 0;
    }
    uint32_t offset = o->hashes_base & (PAGE - 1);
    CVM_ENSURE(s->size == PAGE && o->hashes_size >= HASHES_LEN &&
                   (o->hashes_base & ~(PAGE - 1)) == s->gpa && offset <= PAGE - HASHES_LEN,
               err, BAD, "the image's place for kernel hashes does not fit its metadata");
    uint8_t page[PAGE];
    hashes_page(k, offset, page);
    extend(ld, PAGE_NORMAL, s->gpa, page);
    return 0;
}

static int extend_sections(uint8_t ld[CVM_SHA384_LEN], const struct cvm_ovmf *o,
                           const struct cvm_snp_kernel *k, struct cvm_error *err)
{
    bool hashes = false;
    for (uint32_t i = 0; i < o->n_sections; i++) {
        const struct cvm_ovmf_section *s = &o->sections[i];
        switch (s->type) {
        case CVM_OVMF_SEC_MEM:
        case CVM_OVMF_SVSM_CAA:
            extend_all(ld, PAGE_ZERO, s->gpa, s->size);
            break;
        case CVM_OVMF_SECRETS:
            extend_all(ld, PAGE_SECRETS, s->gpa, s->size);
            break;
        case CVM_OVMF_CPUID:
            extend_all(ld, PAGE_CPUID, s->gpa, s->size);
            break;
        case CVM_OVMF_KERNEL_HASHES:
            CVM_ENSURE(!hashes, err, BAD, "two places for kernel hashes");
            hashes = true;
            CVM_GUARD(extend_hashes(ld, o, s, k, err));
            break;
        default:
            return cvm_fail(err, BAD, "SEV metadata of the unknown type %u", s->type);
        }
    }
    CVM_ENSURE(hashes || !k, err, BAD,
               "the image has no place for kernel hashes: the kernel would not be measured");
    return 0;
}

/* ---- the processors' first state, as KVM and QEMU write it ---- */

static void segment(uint8_t *vmsa, size_t at, uint16_t selector, uint16_t attributes, uint64_t base)
{
    put_le(vmsa + at, selector, 2);
    put_le(vmsa + at + 2, attributes, 2);
    put_le(vmsa + at + 4, 0xffff, 4);
    put_le(vmsa + at + 8, base, 8);
}

static void vmsa_page(const struct cvm_snp_guest *g, uint32_t eip, uint8_t v[PAGE])
{
    memset(v, 0, PAGE);
    segment(v, 0x00, 0, 0x93, 0);                      /* ES */
    segment(v, 0x10, 0xf000, 0x9b, eip & 0xffff0000u); /* CS */
    for (size_t at = 0x20; at <= 0x50; at += 0x10)     /* SS, DS, FS, GS */
        segment(v, at, 0, 0x93, 0);
    segment(v, 0x60, 0, 0, 0);                /* GDTR */
    segment(v, 0x70, 0, 0x82, 0);             /* LDTR */
    segment(v, 0x80, 0, 0, 0);                /* IDTR */
    segment(v, 0x90, 0, 0x8b, 0);             /* TR */
    put_le(v + 0xd0, 0x1000, 8);              /* EFER: SVME */
    put_le(v + 0x148, 0x40, 8);               /* CR4: MCE */
    put_le(v + 0x158, 0x10, 8);               /* CR0: ET */
    put_le(v + 0x160, 0x400, 8);              /* DR7 */
    put_le(v + 0x168, 0xffff0ff0, 8);         /* DR6 */
    put_le(v + 0x170, 2, 8);                  /* RFLAGS */
    put_le(v + 0x178, eip & 0xffff, 8);       /* RIP */
    put_le(v + 0x268, 0x7040600070406ull, 8); /* PAT */
    put_le(v + 0x310, g->vcpu_signature, 8);  /* RDX */
    put_le(v + 0x3b0, g->features, 8);        /* SEV_FEATURES */
    put_le(v + 0x3e8, 1, 8);                  /* XCR0 */
    put_le(v + 0x408, 0x1f80, 4);             /* MXCSR */
    put_le(v + 0x410, 0x37f, 2);              /* x87 FCW */
}

int cvm_measure_snp(const struct cvm_snp_guest *g, uint8_t ret[CVM_SHA384_LEN],
                    struct cvm_error *err)
{
    CVM_ENSURE(g->firmware.len > 0 && g->firmware.len % PAGE == 0 &&
                   g->firmware.len <= CVM_SNP_FIRMWARE_MAX,
               err, BAD, "the image has %zu bytes: not whole pages, or too large", g->firmware.len);
    CVM_ENSURE(g->vcpus >= 1 && g->vcpus <= CVM_SNP_VCPUS_MAX, err, CVM_E_USAGE,
               "1 to %d processors, not %u", CVM_SNP_VCPUS_MAX, g->vcpus);
    CVM_ENSURE(g->features & 1, err, CVM_E_USAGE, "SEV_FEATURES without SNP (bit 0)");
    struct cvm_ovmf o;
    CVM_GUARD(cvm_ovmf_parse(g->firmware, &o, err));
    uint8_t ld[CVM_SHA384_LEN] = {0}, page[PAGE];
    uint64_t base = (1ull << 32) - g->firmware.len;
    for (size_t at = 0; at < g->firmware.len; at += PAGE)
        extend(ld, PAGE_NORMAL, base + at, (const uint8_t *)g->firmware.data + at);
    CVM_GUARD(extend_sections(ld, &o, g->kernel, err));
    for (uint32_t i = 0; i < g->vcpus; i++) {
        vmsa_page(g, i == 0 ? BSP_EIP : o.reset_eip, page);
        extend(ld, PAGE_VMSA, VMSA_GPA, page);
    }
    memcpy(ret, ld, sizeof(ld));
    return 0;
}

void cvm_snp_id_block(const uint8_t launch[CVM_SHA384_LEN], uint32_t guest_svn, uint64_t policy,
                      uint8_t ret[CVM_SNP_ID_BLOCK_LEN])
{
    memset(ret, 0, CVM_SNP_ID_BLOCK_LEN);
    memcpy(ret, launch, CVM_SHA384_LEN); /* family and image id stay zero */
    put_le(ret + 80, 1, 4);
    put_le(ret + 84, guest_svn, 4);
    put_le(ret + 88, policy, 8);
}

#define KEY_STRUCT_LEN 0x404
#define KEY_COORDINATE_LEN 72

void cvm_snp_key_digest(const uint8_t point[97], uint8_t ret[CVM_SHA384_LEN])
{
    uint8_t s[KEY_STRUCT_LEN] = {2}; /* P-384, then both coordinates little-endian */
    for (size_t i = 0; i < 48; i++) {
        s[4 + i] = point[48 - i];
        s[4 + KEY_COORDINATE_LEN + i] = point[96 - i];
    }
    cvm_sha384(s, sizeof(s), ret);
}
