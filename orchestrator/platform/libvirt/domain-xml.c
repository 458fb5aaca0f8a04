/* What is set replaces what the template holds; an element that the template lacks is an error,
 * never added in silence. Only the metadata and QEMU's own arguments are new elements. */
#include "orchestrator/platform/libvirt/domain-xml.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define QEMU_URI "http://libvirt.org/schemas/domain/qemu/1.0"
#define TEXT(s) ((const xmlChar *)(s))
#define PARSE_OPTIONS (XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)

static void free_doc(xmlDoc **doc)
{
    if (*doc)
        xmlFreeDoc(*doc);
}
#define AUTO_DOC CVM_CLEANUP(free_doc)

/* XML 1.0 cannot carry these, not even escaped; the serializer would write them all the same. */
static int check_text(const char *text, struct cvm_error *err)
{
    CVM_ENSURE(text && xmlCheckUTF8(TEXT(text)), err, CVM_E_USAGE, "a text that is not UTF-8");
    for (const unsigned char *p = TEXT(text); *p; p++) {
        bool bad = *p < 0x20 || *p == 0x7f || (p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe);
        CVM_ENSURE(!bad, err, CVM_E_USAGE, "a text with a character that XML cannot carry");
    }
    return 0;
}

static xmlNode *child(xmlNode *parent, const char *name)
{
    for (xmlNode *n = parent ? parent->children : NULL; n; n = n->next)
        if (n->type == XML_ELEMENT_NODE && xmlStrEqual(n->name, TEXT(name)))
            return n;
    return NULL;
}

/* The element at "a/b/c" below the root. */
static xmlNode *at(xmlDoc *doc, const char *path)
{
    xmlNode *n = xmlDocGetRootElement(doc);
    while (n && *path) {
        char name[32];
        size_t len = strcspn(path, "/");
        if (len >= sizeof name)
            return NULL;
        memcpy(name, path, len);
        name[len] = '\0';
        n = child(n, name);
        path += len + (path[len] == '/');
    }
    return n;
}

static int set_text(xmlDoc *doc, const char *path, const char *text, struct cvm_error *err)
{
    xmlNode *n = at(doc, path);
    CVM_ENSURE(n, err, CVM_E_PLATFORM, "the domain's template has no '%s'", path);
    CVM_GUARD(check_text(text, err));
    xmlNodeSetContent(n, NULL);
    xmlNodeAddContent(n, TEXT(text)); /* as text: '&' and '<' are escaped when written */
    return 0;
}

static int set_attribute(xmlDoc *doc, const char *path, const char *name, const char *value,
                         struct cvm_error *err)
{
    xmlNode *n = at(doc, path);
    CVM_ENSURE(n, err, CVM_E_PLATFORM, "the domain's template has no '%s'", path);
    CVM_GUARD(check_text(value, err));
    xmlSetProp(n, TEXT(name), TEXT(value));
    return 0;
}

static int set_number(xmlDoc *doc, const char *path, uint64_t value, struct cvm_error *err)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return set_text(doc, path, text, err);
}

/* <c:collaboration xmlns:c="…" manifest="…" state="…" daemon="…"><c:participant id="…"/>… */
static int add_metadata(xmlNode *parent, bool with_namespace, const struct cvm_domain_spec *spec,
                        struct cvm_error *err)
{
    CVM_GUARD(check_text(spec->manifest, err));
    CVM_GUARD(check_text(spec->state, err));
    for (size_t i = 0; i < spec->n_participants; i++)
        CVM_ENSURE(cvm_id_valid(spec->participants[i]), err, CVM_E_USAGE,
                   "a participant's id of an unknown form");
    xmlNode *n = xmlNewChild(parent, NULL, TEXT("collaboration"), NULL);
    xmlNs *ns = with_namespace ? xmlNewNs(n, TEXT(CVM_DOMAIN_URI), TEXT("c")) : NULL;
    xmlSetNs(n, ns);
    xmlSetProp(n, TEXT("manifest"), TEXT(spec->manifest));
    xmlSetProp(n, TEXT("state"), TEXT(spec->state));
    xmlSetProp(n, TEXT("daemon"), TEXT(CVM_VERSION));
    for (size_t i = 0; i < spec->n_participants; i++) {
        xmlNode *p = xmlNewChild(n, ns, TEXT("participant"), NULL);
        xmlSetProp(p, TEXT("id"), TEXT(spec->participants[i]));
    }
    return 0;
}

static int set_machine(xmlDoc *doc, const struct cvm_domain_spec *spec, struct cvm_error *err)
{
    CVM_GUARD(set_text(doc, "name", spec->name, err));
    CVM_GUARD(set_text(doc, "uuid", spec->uuid, err));
    CVM_GUARD(set_text(doc, "title", spec->title, err));
    CVM_GUARD(set_text(doc, "description", spec->description, err));
    CVM_GUARD(set_number(doc, "memory", spec->memory_mib, err));
    CVM_GUARD(set_number(doc, "vcpu", spec->vcpus, err));
    CVM_GUARD(set_text(doc, "os/kernel", spec->kernel, err));
    CVM_GUARD(set_text(doc, "os/initrd", spec->initrd, err));
    CVM_GUARD(set_text(doc, "os/cmdline", spec->cmdline, err));
    CVM_GUARD(set_attribute(doc, "devices/serial/source", "path", spec->console, err));
    if (spec->loader)
        CVM_GUARD(set_text(doc, "os/loader", spec->loader, err));
    xmlNode *metadata = at(doc, "metadata");
    CVM_ENSURE(metadata, err, CVM_E_PLATFORM, "the domain's template has no 'metadata'");
    return add_metadata(metadata, true, spec, err);
}

static void remove_node(xmlNode *n)
{
    if (!n)
        return;
    xmlUnlinkNode(n);
    xmlFreeNode(n);
}

static int set_snp(xmlDoc *doc, const struct cvm_domain_spec *spec, struct cvm_error *err)
{
    CVM_ENSURE(spec->loader && !spec->kvm && !spec->vsock_socket && !spec->user && !spec->no_vsock,
               err, CVM_E_PLATFORM, "a SEV-SNP machine needs its firmware and the kernel's vsock");
    char policy[24];
    snprintf(policy, sizeof policy, "0x%llx", (unsigned long long)spec->policy);
    unsigned char host_data[48];
    EVP_EncodeBlock(host_data, spec->host_data.b, sizeof spec->host_data.b);
    CVM_GUARD(set_text(doc, "launchSecurity/policy", policy, err));
    return set_text(doc, "launchSecurity/hostData", (const char *)host_data, err);
}

/* libvirt 11 has no element for a vsock that another program serves. */
static int add_vhost_user(xmlDoc *doc, const char *socket, struct cvm_error *err)
{
    xmlNode *kernel_vsock = at(doc, "devices/vsock"), *root = xmlDocGetRootElement(doc);
    CVM_ENSURE(kernel_vsock, err, CVM_E_PLATFORM, "the domain's template has no 'devices/vsock'");
    CVM_GUARD(check_text(socket, err));
    /* QEMU takes a comma as the end of a value. */
    CVM_ENSURE(!strchr(socket, ','), err, CVM_E_PLATFORM, "the path '%s' has a comma", socket);
    remove_node(kernel_vsock);
    /* The path stands last: the software PSP finds the machine by it. */
    CVM_AUTO_FREE char *chardev = cvm_printf("socket,id=vs0,reconnect=0,path=%s", socket);
    const char *const arguments[] = {"-chardev", chardev, "-device",
                                     "vhost-user-vsock-pci,chardev=vs0"};
    xmlNs *ns = xmlNewNs(root, TEXT(QEMU_URI), TEXT("qemu"));
    xmlNode *line = xmlNewChild(root, ns, TEXT("commandline"), NULL);
    for (size_t i = 0; i < sizeof arguments / sizeof arguments[0]; i++)
        xmlSetProp(xmlNewChild(line, ns, TEXT("arg"), NULL), TEXT("value"), TEXT(arguments[i]));
    return 0;
}

/* libvirt leaves the owners of the files alone then, too. */
static int add_user(xmlDoc *doc, const char *user, struct cvm_error *err)
{
    CVM_GUARD(check_text(user, err));
    xmlNode *label = xmlNewChild(xmlDocGetRootElement(doc), NULL, TEXT("seclabel"), NULL);
    xmlSetProp(label, TEXT("type"), TEXT("static"));
    xmlSetProp(label, TEXT("model"), TEXT("dac"));
    xmlSetProp(label, TEXT("relabel"), TEXT("no"));
    xmlNewTextChild(label, NULL, TEXT("label"), TEXT(user));
    return 0;
}

static char *written(xmlDoc *doc, xmlNode *node)
{
    xmlBuffer *buffer = xmlBufferCreate();
    xmlNodeDump(buffer, doc, node, 0, 0);
    char *text = cvm_strdup((const char *)xmlBufferContent(buffer));
    xmlBufferFree(buffer);
    return text;
}

int cvm_domain_xml(const struct cvm_domain_spec *spec, char **ret, struct cvm_error *err)
{
    AUTO_DOC xmlDoc *doc = xmlReadFile(spec->template_, NULL, PARSE_OPTIONS);
    CVM_ENSURE(doc && xmlStrEqual(xmlDocGetRootElement(doc)->name, TEXT("domain")), err,
               CVM_E_PLATFORM, "'%s' is no domain's template", spec->template_);
    CVM_GUARD(set_machine(doc, spec, err));
    if (at(doc, "launchSecurity"))
        CVM_GUARD(set_snp(doc, spec, err));
    else
        CVM_GUARD(set_attribute(doc, "", "type", spec->kvm ? "kvm" : "qemu", err));
    if (spec->user)
        CVM_GUARD(add_user(doc, spec->user, err));
    if (spec->no_vsock)
        remove_node(at(doc, "devices/vsock"));
    if (spec->vsock_socket)
        CVM_GUARD(add_vhost_user(doc, spec->vsock_socket, err));
    *ret = written(doc, xmlDocGetRootElement(doc));
    return 0;
}

int cvm_domain_metadata(const struct cvm_domain_spec *spec, char **ret, struct cvm_error *err)
{
    AUTO_DOC xmlDoc *doc = xmlNewDoc(TEXT("1.0"));
    xmlNode *holder = xmlNewDocNode(doc, NULL, TEXT("metadata"), NULL);
    xmlDocSetRootElement(doc, holder);
    CVM_GUARD(add_metadata(holder, false, spec, err));
    *ret = written(doc, holder->children);
    return 0;
}

static xmlDoc *read_document(const char *xml, const char *what, struct cvm_error *err)
{
    size_t len = strlen(xml);
    xmlDoc *doc =
        len <= 1024 * 1024 ? xmlReadMemory(xml, (int)len, NULL, NULL, PARSE_OPTIONS) : NULL;
    if (!doc)
        cvm_fail(err, CVM_E_BAD_ENCODING, "%s that are not XML", what);
    return doc;
}

int cvm_domain_metadata_manifest(const char *element, struct cvm_digest *ret, struct cvm_error *err)
{
    AUTO_DOC xmlDoc *doc = read_document(element, "metadata", err);
    if (!doc)
        return -1;
    xmlNode *root = xmlDocGetRootElement(doc);
    CVM_ENSURE(root && xmlStrEqual(root->name, TEXT("collaboration")), err, CVM_E_BAD_ENCODING,
               "metadata of another form");
    xmlChar *text = xmlGetProp(root, TEXT("manifest"));
    int rc = text ? cvm_digest_parse((const char *)text, ret, err)
                  : cvm_fail(err, CVM_E_BAD_ENCODING, "metadata without a manifest");
    xmlFree(text);
    return rc;
}

int cvm_domain_cid(const char *xml, uint32_t *ret, struct cvm_error *err)
{
    AUTO_DOC xmlDoc *doc = read_document(xml, "a domain's elements", err);
    if (!doc)
        return -1;
    xmlNode *n = at(doc, "devices/vsock/cid");
    xmlChar *text = n ? xmlGetProp(n, TEXT("address")) : NULL;
    char *end = NULL;
    unsigned long v = text ? strtoul((const char *)text, &end, 10) : 0;
    bool good = text && *text && !*end && v > 2 && v < UINT32_MAX;
    xmlFree(text);
    CVM_ENSURE(good, err, CVM_E_NOT_FOUND, "the machine has no vsock address");
    *ret = (uint32_t)v;
    return 0;
}

int cvm_domain_capable_of_snp(const char *capabilities, struct cvm_error *err)
{
    AUTO_DOC xmlDoc *doc = read_document(capabilities, "capabilities", err);
    if (!doc)
        return -1;
    xmlNode *n = at(doc, "features/launchSecurity");
    xmlChar *supported = n ? xmlGetProp(n, TEXT("supported")) : NULL;
    bool yes = supported && xmlStrEqual(supported, TEXT("yes"));
    xmlFree(supported);
    if (!yes)
        return 0;
    for (xmlNode *e = n->children; e; e = e->next) {
        if (e->type != XML_ELEMENT_NODE || !xmlStrEqual(e->name, TEXT("enum")))
            continue;
        for (xmlNode *v = e->children; v; v = v->next) {
            xmlChar *word = v->type == XML_ELEMENT_NODE ? xmlNodeGetContent(v) : NULL;
            bool snp = word && xmlStrEqual(word, TEXT("sev-snp"));
            xmlFree(word);
            if (snp)
                return 1;
        }
    }
    return 0;
}

int cvm_domain_host_data(const char *xml, struct cvm_digest *ret, struct cvm_error *err)
{
    size_t len = strlen(xml);
    CVM_ENSURE(len <= 1024 * 1024, err, CVM_E_TOO_LARGE, "a domain's document of %zu bytes", len);
    AUTO_DOC xmlDoc *doc = xmlReadMemory(xml, (int)len, NULL, NULL, PARSE_OPTIONS);
    CVM_ENSURE(doc, err, CVM_E_BAD_ENCODING, "a domain that is not XML");
    xmlNode *n = at(doc, "launchSecurity/hostData");
    CVM_ENSURE(n, err, CVM_E_NOT_FOUND, "the domain has no HOST_DATA");
    for (xmlNode *other = n->next; other; other = other->next)
        CVM_ENSURE(!xmlStrEqual(other->name, n->name), err, CVM_E_NOT_FOUND,
                   "the domain has more than one HOST_DATA");
    xmlChar *text = xmlNodeGetContent(n);
    unsigned char raw[36], again[48];
    /* Decoded and written once more: only the canonical form comes out as it went in. */
    bool good = text && xmlStrlen(text) == 44 && EVP_DecodeBlock(raw, text, 44) == 33;
    if (good) {
        EVP_EncodeBlock(again, raw, 32);
        good = memcmp(again, text, 44) == 0;
    }
    xmlFree(text);
    CVM_ENSURE(good, err, CVM_E_BAD_ENCODING, "HOST_DATA is not canonical base64 of 32 bytes");
    memcpy(ret->b, raw, sizeof ret->b);
    return 0;
}
