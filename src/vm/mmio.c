// SPDX-License-Identifier: Apache-2.0
// The device map of a VM. Owns nothing; a VM's map is filled while the VM is built and constant after,
// but for the hint. Called by trap/abort.c.
#include "vm/mmio.h"

#include "base/atomic.h"
#include "base/bits.h"

int mmio_add(struct mmio_map *map, uint64_t base, uint64_t size, const struct mmio_ops *ops,
             void *dev)
{
	uint32_t at = map->count;
	if (size == 0 || base + size < base)
		return ERR_INVALID;
	for (uint32_t i = 0; i < map->count; i++)
		if (ranges_overlap(base, size, map->region[i].base, map->region[i].size))
			return ERR_INVALID;
	if (map->count == MMIO_MAX_REGIONS)
		return ERR_NO_MEMORY;
	for (; at > 0 && map->region[at - 1].base > base; at--)
		map->region[at] = map->region[at - 1];
	map->region[at] = (struct mmio_region){base, size, ops, dev};
	map->count++;
	return 0;
}

const struct mmio_region *mmio_find(struct mmio_map *map, ipa_t ipa)
{
	uint32_t low = 0, high = map->count;
	uint32_t last = load_relaxed(&map->last);
	if (last < high && range_contains(map->region[last].base, map->region[last].size, ipa.v, 1))
		return &map->region[last];
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		const struct mmio_region *region = &map->region[middle];
		if (ipa.v < region->base) {
			high = middle;
		} else if (ipa.v - region->base >= region->size) {
			low = middle + 1;
		} else {
			store_relaxed(&map->last, middle);
			return region;
		}
	}
	return NULL;
}

bool mmio_reaches(struct mmio_map *map, ipa_t ipa)
{
	return mmio_find(map, ipa) != NULL ||
	       range_contains(map->background_base, map->background_size, ipa.v, 1);
}

static void fill(struct mmio_hit *hit, struct mmio_map *map, uint64_t page)
{
	uint64_t base = field_get(HPFAR_FIPA, page) << PAGE_SHIFT;
	const struct mmio_region *region = mmio_find(map, IPA(base));
	*hit = (struct mmio_hit){.page = page};
	if (region == NULL || region->size < sizeof(uint64_t)) // or it begins within the page
		return;
	hit->offset = base - region->base;
	hit->limit = region->size - sizeof(uint64_t) + 1;
	hit->ops = region->ops;
	hit->quick_read = region->ops->quick_read;
	hit->dev = region->dev;
}

void mmio_hit_find(struct mmio_hit *hit, struct mmio_map *map, uint64_t page)
{
	if (hit->page != MMIO_NO_PAGE || hit->known_page != page)
		fill(hit, map, page);
	hit->page = page;
	hit->known_page = MMIO_NO_PAGE;
}

uint64_t mmio_know(struct mmio_hit *hit, uint32_t offset, unsigned size, uint64_t value)
{
	uint64_t log2 = (uint64_t)__builtin_ctz(size);
	hit->known_key = mmio_known_key(offset - hit->offset, ISS_ISV | field_put(ISS_SAS, log2));
	hit->known = value;
	hit->known_page = hit->page;
	hit->page = MMIO_NO_PAGE;
	return value;
}

static bool answered(struct mmio_map *map, struct vcpu *vcpu, struct access *access)
{
	const struct mmio_region *region = mmio_find(map, access->ipa);
	if (region == NULL ||
	    !range_contains(region->base, region->size, access->ipa.v, access->size))
		return false;
	uint32_t offset = (uint32_t)(access->ipa.v - region->base);
	if (access->write)
		return region->ops->write(region->dev, vcpu, offset, access->size, access->value);
	return region->ops->read(region->dev, vcpu, offset, access->size, &access->value);
}

bool mmio_access(struct mmio_map *map, struct vcpu *vcpu, struct access *access)
{
	if (LIKELY(answered(map, vcpu, access)))
		return true;
	if (!range_contains(map->background_base, map->background_size, access->ipa.v,
	                    access->size))
		return false;
	fetch_add(&map->unanswered, 1);
	store_relaxed(&map->unanswered_last, access->ipa.v);
	if (!access->write)
		access->value = 0;
	return true;
}
