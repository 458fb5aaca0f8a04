/* Groups of components that run together, and the order in which things start. */
#include "core/manifest/parse.h"

#include <string.h>

/* A group is named by its first member in manifest order; `group` gives that for each component. */
struct graph {
    const struct cvm_manifest *m;
    int group[CVM_COMPONENTS_MAX];
    bool placed[CVM_COMPONENTS_MAX];
};

/* Groups are placed behind what feeds them, members of one behind what they reach. */
struct level {
    int (*waits_for)(const struct graph *g, int unit); /* an unplaced unit, or -1 */
    const char *arrow;                                 /* between a unit and what it waits for */
};

static bool joins(const struct cvm_channel *c)
{
    return c->kind != CVM_CHANNEL_KIND_FILE && c->from_component >= 0;
}

static int group_waits_for(const struct graph *g, int group)
{
    for (uint32_t k = 0; k < g->m->n_channels; k++) {
        const struct cvm_channel *c = &g->m->channels[k];
        if (c->kind != CVM_CHANNEL_KIND_FILE || c->from_component < 0 || c->to_component < 0)
            continue;
        if (g->group[c->to_component] == group && !g->placed[g->group[c->from_component]])
            return g->group[c->from_component];
    }
    return -1;
}

static int member_waits_for(const struct graph *g, int component)
{
    for (uint32_t k = 0; k < g->m->n_channels; k++) {
        const struct cvm_channel *c = &g->m->channels[k];
        if (joins(c) && c->from_component == component && !g->placed[c->to_component])
            return c->to_component;
    }
    return -1;
}

static const struct level GROUPS = {group_waits_for, "<-"}, MEMBERS = {member_waits_for, "->"};

/* Every unplaced unit waits for an unplaced one, so walking on must come round. */
static int fail_cycle(const struct graph *g, const struct level *level, int start,
                      struct cvm_error *err)
{
    bool seen[CVM_COMPONENTS_MAX] = {false};
    int first = start;
    while (!seen[first]) {
        seen[first] = true;
        first = level->waits_for(g, first);
    }
    const struct cvm_component *components = g->m->components;
    char text[160];
    size_t len = (size_t)snprintf(text, sizeof text, "%s", components[first].id);
    int at = first;
    do {
        at = level->waits_for(g, at);
        len += (size_t)snprintf(text + len, sizeof text - len, " %s %s", level->arrow,
                                components[at].id);
    } while (at != first && len < sizeof text);
    return cvm_fail_expected(err, CVM_E_MANIFEST_CYCLE, NULL, text, "through component \"%s\"",
                             components[first].id);
}

/* Places and returns the first unit of `units` that waits for nothing; -2 when all are placed. */
static int place_next(struct graph *g, const struct level *level, const bool *units,
                      struct cvm_error *err)
{
    int stuck = -1;
    for (int i = 0; i < (int)g->m->n_components; i++) {
        if (!units[i] || g->placed[i])
            continue;
        stuck = stuck < 0 ? i : stuck;
        if (level->waits_for(g, i) >= 0)
            continue;
        g->placed[i] = true;
        return i;
    }
    return stuck < 0 ? -2 : fail_cycle(g, level, stuck, err);
}

static void find_groups(struct graph *g)
{
    for (int i = 0; i < (int)g->m->n_components; i++)
        g->group[i] = i;
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t k = 0; k < g->m->n_channels; k++) {
            const struct cvm_channel *c = &g->m->channels[k];
            if (!joins(c) || g->group[c->from_component] == g->group[c->to_component])
                continue;
            int *from = &g->group[c->from_component], *to = &g->group[c->to_component];
            *(*from > *to ? from : to) = *from > *to ? *to : *from;
            changed = true;
        }
    }
}

static int check_files_between_groups(const struct graph *g, struct cvm_error *err)
{
    for (uint32_t k = 0; k < g->m->n_channels; k++) {
        const struct cvm_channel *c = &g->m->channels[k];
        if (c->kind != CVM_CHANNEL_KIND_FILE || c->from_component < 0 || c->to_component < 0)
            continue;
        CVM_ENSURE(g->group[c->from_component] != g->group[c->to_component], err,
                   CVM_E_MANIFEST_CYCLE,
                   "channels[%u]: a file is there when its writer has ended, but \"%s\" and \"%s\" "
                   "run together",
                   k, g->m->components[c->from_component].id, g->m->components[c->to_component].id);
    }
    return 0;
}

static int order_members(struct cvm_manifest *m, struct graph *g, int group, struct cvm_error *err)
{
    bool units[CVM_COMPONENTS_MAX] = {false};
    for (uint32_t i = 0; i < m->n_components; i++)
        units[i] = g->group[i] == group;
    struct cvm_group *to = &m->groups[m->n_groups];
    *to = (struct cvm_group){m->n_groups ? to[-1].first + to[-1].n : 0, 0};
    int next;
    while ((next = place_next(g, &MEMBERS, units, err)) >= 0) {
        m->components[next].group = m->n_groups;
        m->order[to->first + to->n++] = next;
    }
    m->n_groups++;
    return next == -2 ? 0 : -1;
}

int cvm_manifest_order(struct cvm_manifest *m, struct cvm_error *err)
{
    struct graph groups = {.m = m}, members = {.m = m};
    bool units[CVM_COMPONENTS_MAX] = {false};
    find_groups(&groups);
    memcpy(members.group, groups.group, sizeof members.group);
    CVM_GUARD(check_files_between_groups(&groups, err));
    for (uint32_t i = 0; i < m->n_components; i++)
        units[i] = groups.group[i] == (int)i;
    int next;
    while ((next = place_next(&groups, &GROUPS, units, err)) >= 0)
        CVM_GUARD(order_members(m, &members, next, err));
    return next == -2 ? 0 : -1;
}
