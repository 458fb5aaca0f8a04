/*
 * The libvirt domain of an isolate: a template of launch-templates/, filled in by its DOM. No text
 * is ever pasted into XML.
 *
 * Security: HOST_DATA is what ties the machine to its manifest. libvirt's own decoder of base64 is
 * lenient and keeps what it was given, therefore it is written canonically here, and
 * cvm_domain_host_data() refuses any other form when a domain is read back.
 */
#ifndef CVM_PLATFORM_DOMAIN_XML_H
#define CVM_PLATFORM_DOMAIN_XML_H

#include "core/base/encode.h"

#define CVM_DOMAIN_URI "https://2cvm.dev/libvirt/1" /* of our metadata element; only a name */

struct cvm_domain_spec {   /* all borrowed, UTF-8, absolute paths */
    const char *template_; /* path of the template */
    const char *name, *uuid;
    const char *title;            /* any printable text */
    const char *description;      /* likewise */
    const char *state, *manifest; /* metadata: state, "sha256:…" */
    const char *const *participants;
    size_t n_participants;
    uint64_t memory_mib;
    uint32_t vcpus;
    const char *loader; /* NULL for the template without firmware */
    const char *kernel, *initrd, *cmdline, *console;
    uint64_t policy;             /* sev-snp only */
    struct cvm_digest host_data; /* sev-snp only */
    bool kvm;                    /* sim-vm only: kvm in place of qemu */
    const char *vsock_socket;    /* sim-vm only: of vhost-device-vsock; NULL for the kernel's */
    const char *user;            /* sim-vm only: "+UID:+GID" that QEMU runs as; NULL: libvirt's */
    bool no_vsock;               /* sim-vm only: a machine that only shows that it boots */
};

/* The whole document, owned. CVM_E_PLATFORM when the template is not of the expected form,
 * CVM_E_USAGE when a text holds what XML cannot carry. */
int cvm_domain_xml(const struct cvm_domain_spec *spec, char **ret,
                   struct cvm_error *err) CVM_MUST_USE;

/* Our metadata element alone, as virDomainSetMetadata() takes it: without its namespace, which
 * that function adds; owned. */
int cvm_domain_metadata(const struct cvm_domain_spec *spec, char **ret,
                        struct cvm_error *err) CVM_MUST_USE;

/* The digest of the manifest in our metadata element, as virDomainGetMetadata() gives it.
 * CVM_E_BAD_ENCODING for another form. */
int cvm_domain_metadata_manifest(const char *element, struct cvm_digest *ret,
                                 struct cvm_error *err) CVM_MUST_USE;

/* The vsock address of a running domain's document; CVM_E_NOT_FOUND when it has none. */
int cvm_domain_cid(const char *xml, uint32_t *ret, struct cvm_error *err) CVM_MUST_USE;

/* Whether libvirt's domain capabilities list SEV-SNP (1), or not (0). */
int cvm_domain_capable_of_snp(const char *capabilities, struct cvm_error *err) CVM_MUST_USE;

/* HOST_DATA of a domain as libvirt gives it back: canonical base64 of 32 bytes, nothing else
 * (CVM_E_BAD_ENCODING). CVM_E_NOT_FOUND when the domain has none, or more than one. */
int cvm_domain_host_data(const char *xml, struct cvm_digest *ret,
                         struct cvm_error *err) CVM_MUST_USE;

#endif
