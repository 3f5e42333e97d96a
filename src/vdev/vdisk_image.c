// SPDX-License-Identifier: Apache-2.0
// A virtio disk whose bytes are an image of the bundle. Owns nothing but a store; called by vvirtio_blk.c under the
// device's lock.
//
// Bytes are copied between store and guest where they lie, as much at a time as is one piece on both sides.
#include "arm/cache.h"
#include "base/string.h"
#include "vdev/vdisk.h"
#include "vdev/vstore.h"
#include "vm/vm.h"

#define PIECE      KIB(16) // bytes that are copied at a time, at most
#define COST_PIECE 100U
#define COST_PAGE  1200U  // a page for the store, and what was in it
#define COST_ERASE 12000U // vstore_erase

static bool read_some(struct vdisk *disk, struct vdisk_request *request,
                      const struct vvirtqueue_chain *chain, struct vvirtio_work *work)
{
	uint64_t bytes, most = request->left < PIECE ? request->left : PIECE;
	const void *from = vstore_find(disk->medium, request->at, most, &most);
	void *to = vvirtio_span(&disk->dev, chain, &request->data, most, &bytes, work);

	if (to == NULL)
		return false;
	if (from != NULL)
		cache_copy(to, from, bytes);
	else
		memset(to, 0, bytes);
	request->at += bytes;
	request->left -= bytes;
	vvirtio_spend(work, COST_PIECE + (uint32_t)(bytes / 8));
	return true;
}

static bool write_some(struct vdisk *disk, struct vdisk_request *request,
                       const struct vvirtqueue_chain *chain, struct vvirtio_work *work)
{
	uint64_t bytes, most = PAGE_SIZE - request->at % PAGE_SIZE;
	most = request->left < most ? request->left : most;
	const void *from = vvirtio_span(&disk->dev, chain, &request->data, most, &bytes, work);

	vvirtio_spend(work, COST_PAGE);
	if (from == NULL || vstore_write(disk->medium, request->at, from, bytes) != 0)
		return false;
	request->at += bytes;
	request->left -= bytes;
	return true;
}

static bool erase_some(struct vdisk *disk, struct vdisk_request *request, struct vvirtio_work *work)
{
	uint64_t before = request->at;
	int error = vstore_erase(disk->medium, &request->at, request->at + request->left);

	request->left -= request->at - before;
	vvirtio_spend(work, COST_ERASE);
	return error == 0;
}

static bool do_some(struct vdisk *disk, struct vdisk_request *request,
                    const struct vvirtqueue_chain *chain, struct vvirtio_work *work)
{
	switch (request->type) {
	case VIRTIO_BLK_IN: return read_some(disk, request, chain, work);
	case VIRTIO_BLK_OUT: return write_some(disk, request, chain, work);
	default: return erase_some(disk, request, work);
	}
}

static enum vdisk_answer image_work(struct vdisk *disk, unsigned queue,
                                    struct vvirtqueue_chain *chain, struct vvirtio_work *work)
{
	struct vdisk_request *request = &disk->request[queue];

	while (request->left != 0) { // a flush has nothing to do
		if (!vvirtio_may(work))
			return VDISK_LATER;
		if (!do_some(disk, request, chain, work)) {
			request->status = VIRTIO_BLK_S_IOERR; // there is no memory
			break;
		}
	}
	return VDISK_DONE;
}

static void image_begin_life(struct vdisk *disk)
{
	vstore_reset(disk->medium);
}

static const struct vdisk_ops ops = {
        .work = image_work,
        .begin_life = image_begin_life,
};

int vdisk_image_create(struct vdisk *disk, const struct vm_disk *from)
{
	struct vstore *store;
	int error = vstore_create(disk->dev.vm, &from->image, VDISK_SECTOR, &store);

	if (error != 0)
		return error;
	disk->ops = &ops;
	disk->medium = store;
	disk->sectors = vstore_size(store) / VDISK_SECTOR;
	disk->block_size = VDISK_SECTOR;
	disk->physical = 3; // the store copies 4 KiB of the image at a time
	disk->discard_sectors = disk->zeroes_sectors =
	        vstore_read_only(store) ? 0 : (uint32_t)(GIB(1) / VDISK_SECTOR);
	return 0;
}
