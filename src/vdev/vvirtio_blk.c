// SPDX-License-Identifier: Apache-2.0
// The virtio block device: what a driver may ask of a disk, and what it is told. Owns the requests that queues have in
// hand, under the device's lock; called by vvirtio.c. What holds the bytes is behind struct vdisk_ops.
//
// A buffer may be cut into segments anywhere: the first 16 bytes to be read are the header, the last byte to be written is
// the status, what lies between is data. The header is read once and checked as a whole; work on the data goes on over
// many pieces. Each vCPU has a queue of its own, up to VDISK_QUEUES.
// Invariant: a request that was begun lies on the disk, which can do it; it ends with one status.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Block Device".
#include "vdev/vvirtio_blk.h"

#include "base/string.h"
#include "vdev/vdisk.h"
#include "vm/vm.h"

#define QUEUE_SIZE VVIRTQUEUE_MAX
#define SEG_MAX    (VVIRTQUEUE_MAX - 2) // beside header and status
#define ID_SIZE    20                   // bytes of a name; shorter ones end in NULs
#define COST_BEGIN 900U                 // of a request, but for its chain and its bytes

// ---- the beginning of a request ----

static bool lies_on(const struct vdisk *disk, uint64_t sector, uint64_t sectors)
{
	return range_contains(0, disk->sectors, sector, sectors);
}

static uint8_t begin_data(const struct vdisk *disk, struct vdisk_request *request, uint64_t sector,
                          uint64_t bytes)
{
	if (bytes % VDISK_SECTOR != 0 || !lies_on(disk, sector, bytes / VDISK_SECTOR))
		return VIRTIO_BLK_S_IOERR;
	if (request->type == VIRTIO_BLK_OUT && (disk->features & VIRTIO_BLK_F_RO) != 0)
		return VIRTIO_BLK_S_IOERR;
	request->at = sector * VDISK_SECTOR;
	request->left = bytes;
	return VIRTIO_BLK_S_OK;
}

// DISCARD and WRITE_ZEROES: one extent, as the configuration says.
static uint8_t begin_extent(struct vdisk *disk, struct vdisk_request *request,
                            const struct vvirtqueue_chain *chain, uint64_t bytes,
                            struct vvirtio_work *work)
{
	bool discard = request->type == VIRTIO_BLK_DISCARD;
	struct virtio_blk_extent extent;

	if ((discard ? disk->discard_sectors : disk->zeroes_sectors) == 0)
		return VIRTIO_BLK_S_UNSUPP;
	if (bytes != sizeof extent || vvirtio_from_guest(&disk->dev, chain, &request->data, &extent,
	                                                 sizeof extent, work) != sizeof extent)
		return VIRTIO_BLK_S_IOERR;
	if ((extent.flags & ~(discard ? 0 : VIRTIO_BLK_EXTENT_UNMAP)) != 0)
		return VIRTIO_BLK_S_UNSUPP;
	if (!lies_on(disk, extent.sector, extent.sectors))
		return VIRTIO_BLK_S_IOERR;
	request->unmap = extent.flags != 0;
	request->at = extent.sector * VDISK_SECTOR;
	request->left = (uint64_t)extent.sectors * VDISK_SECTOR;
	return VIRTIO_BLK_S_OK;
}

static uint8_t give_id(struct vdisk *disk, struct vdisk_request *request,
                       const struct vvirtqueue_chain *chain, struct vvirtio_work *work)
{
	char id[ID_SIZE] = {0};
	size_t length = strlen(disk->name);

	if (chain->bytes_write - 1 < ID_SIZE)
		return VIRTIO_BLK_S_IOERR;
	memcpy(id, disk->name, length < ID_SIZE ? length : ID_SIZE);
	return vvirtio_to_guest(&disk->dev, chain, &request->data, id, sizeof id, work) == sizeof id
	               ? VIRTIO_BLK_S_OK
	               : VIRTIO_BLK_S_IOERR;
}

static uint8_t begin_type(struct vdisk *disk, struct vdisk_request *request,
                          const struct vvirtqueue_chain *chain, uint64_t sector,
                          struct vvirtio_work *work)
{
	uint64_t in = chain->bytes_write - 1;
	uint64_t out = chain->bytes_read - sizeof(struct virtio_blk_header);

	switch (request->type) {
	case VIRTIO_BLK_IN:
		request->data = vvirtio_writable(chain);
		return begin_data(disk, request, sector, in);
	case VIRTIO_BLK_OUT: return begin_data(disk, request, sector, out);
	case VIRTIO_BLK_DISCARD:
	case VIRTIO_BLK_WRITE_ZEROES: return begin_extent(disk, request, chain, out, work);
	case VIRTIO_BLK_GET_ID:
		request->data = vvirtio_writable(chain);
		return give_id(disk, request, chain, work);
	case VIRTIO_BLK_FLUSH: return VIRTIO_BLK_S_OK;
	default: return VIRTIO_BLK_S_UNSUPP;
	}
}

// Looks at what came into hand. False: it is nonsense.
static bool begin(struct vdisk *disk, unsigned queue, const struct vvirtqueue_chain *chain,
                  struct vvirtio_work *work)
{
	struct vvirtio *dev = &disk->dev;
	struct vdisk_request *request = &disk->request[queue];
	struct vvirtio_place end = vvirtio_writable(chain);
	struct virtio_blk_header header;
	uint64_t bytes;

	*request = (struct vdisk_request){.data = vvirtio_readable(chain),
	                                  .life = dev->queue[queue].life};
	vvirtio_spend(work, COST_BEGIN);
	if (vvirtio_from_guest(dev, chain, &request->data, &header, sizeof header, work) !=
	    sizeof header) {
		vvirtio_broken(dev, "queue %u has a request of %lu bytes, less than a header",
		               queue, chain->bytes_read);
		return false;
	}
	if (chain->bytes_write == 0) {
		vvirtio_broken(dev, "queue %u has a request without room for its status", queue);
		return false;
	}
	vvirtio_skip(chain, &end, chain->bytes_write - 1);
	request->status_at = vvirtio_ipa(chain, &end);
	if (vvirtio_span(dev, chain, &end, 1, &bytes, work) == NULL) {
		vvirtio_broken(dev, "queue %u has a request that finds no memory", queue);
		return false;
	}
	request->type = header.type;
	request->status = begin_type(disk, request, chain, header.sector, work);
	request->begun = true;
	return true;
}

// ---- its end ----

uint32_t vdisk_end(struct vdisk *disk, ipa_t status_at, uint8_t status, uint32_t bytes)
{
	uint64_t left;
	volatile uint8_t *at = stage2_span(&disk->dev.vm->stage2, status_at, false, &left);

	if (at != NULL)
		*at = status;
	// What was not written before the status is nobody's business.
	return status == VIRTIO_BLK_S_OK || bytes == 1 ? bytes : 0;
}

static void finish(struct vdisk *disk, unsigned queue, const struct vvirtqueue_chain *chain)
{
	struct vdisk_request *request = &disk->request[queue];

	request->begun = false;
	vvirtio_give(
	        &disk->dev, queue,
	        vdisk_end(disk, request->status_at, request->status, (uint32_t)chain->bytes_write));
}

static void forget(struct vdisk *disk, unsigned queue)
{
	if (disk->ops->forget != NULL)
		disk->ops->forget(disk, queue);
	disk->request[queue].begun = false;
}

static bool blk_work(struct vvirtio *dev, unsigned queue, struct vvirtio_work *work)
{
	struct vdisk *disk = (struct vdisk *)dev;
	struct vdisk_request *request = &disk->request[queue];
	struct vvirtqueue_chain *chain;

	while (!disk->stopping && vvirtio_may(work) &&
	       (chain = vvirtio_chain(dev, queue, work)) != NULL) {
		if (request->begun && request->life != dev->queue[queue].life)
			forget(disk, queue);
		if (!request->begun && !begin(disk, queue, chain, work))
			return true;
		enum vdisk_answer answer = VDISK_DONE;
		if (request->status == VIRTIO_BLK_S_OK && request->type != VIRTIO_BLK_GET_ID)
			answer = disk->ops->work(disk, queue, chain, work);
		switch (answer) {
		case VDISK_DONE: finish(disk, queue, chain); break;
		case VDISK_LATER: return false;
		case VDISK_WAIT: return true;
		case VDISK_KEPT: request->begun = false; break;
		}
	}
	return disk->stopping || vvirtio_may(work);
}

// ---- its life ----

static void blk_stop(struct vvirtio *dev)
{
	((struct vdisk *)dev)->stopping = true; // or there would always be something
	for (unsigned i = 0; i < dev->nr_queues; i++)
		vvirtio_deafen(dev, i, true);
}

static bool blk_busy(struct vvirtio *dev)
{
	struct vdisk *disk = (struct vdisk *)dev;

	return disk->ops->busy != NULL && disk->ops->busy(disk);
}

static void blk_reset(struct vvirtio *dev)
{
	struct vdisk *disk = (struct vdisk *)dev;

	for (unsigned i = 0; i < dev->nr_queues; i++) {
		disk->request[i] = (struct vdisk_request){.begun = false};
		vvirtio_deafen(dev, i, false);
	}
	if (disk->ops->reset != NULL)
		disk->ops->reset(disk);
	disk->stopping = false;
}

#define NAME "virtio-blk"
#define KIND                                                                          \
	.name = NAME, .id = VIRTIO_BLOCK, .queue_size = QUEUE_SIZE, .work = blk_work, \
	.reset = blk_reset, .stop = blk_stop, .busy = blk_busy
#define FEATURES                                                             \
	(VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_BLK_SIZE | VIRTIO_BLK_F_FLUSH | \
	 VIRTIO_BLK_F_TOPOLOGY | VIRTIO_BLK_F_MQ)

// By what the disk can do: the features of a device are in its table.
static const struct vvirtio_ops kinds[] = {
        {KIND, .features = FEATURES},
        {KIND, .features = FEATURES | VIRTIO_BLK_F_RO},
        {KIND, .features = FEATURES | VIRTIO_BLK_F_DISCARD},
        {KIND, .features = FEATURES | VIRTIO_BLK_F_WRITE_ZEROES},
        {KIND, .features = FEATURES | VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES},
};

static const struct vvirtio_ops *kind_of(const struct vdisk *disk, bool read_only)
{
	uint64_t features = FEATURES | (read_only ? VIRTIO_BLK_F_RO : 0) |
	                    (disk->discard_sectors != 0 ? VIRTIO_BLK_F_DISCARD : 0) |
	                    (disk->zeroes_sectors != 0 ? VIRTIO_BLK_F_WRITE_ZEROES : 0);

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].features == features)
			return &kinds[i];
	return &kinds[0];
}

static void put(struct vdisk *disk, uint32_t offset, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size; i++)
		disk->config[offset + i] = (uint8_t)(value >> (i * 8));
}

static void write_config(struct vdisk *disk)
{
	uint32_t alignment = disk->block_size / VDISK_SECTOR << disk->physical;

	put(disk, VIRTIO_BLK_CAPACITY, 8, disk->sectors);
	put(disk, VIRTIO_BLK_SEG_MAX, 4, SEG_MAX);
	put(disk, VIRTIO_BLK_BLK_SIZE, 4, disk->block_size);
	put(disk, VIRTIO_BLK_PHYSICAL, 1, disk->physical);
	put(disk, VIRTIO_BLK_MIN_IO, 2, BIT_U32(disk->physical));
	put(disk, VIRTIO_BLK_NUM_QUEUES, 2, disk->dev.nr_queues);
	put(disk, VIRTIO_BLK_DISCARD_SECTORS, 4, disk->discard_sectors);
	put(disk, VIRTIO_BLK_DISCARD_SEGMENTS, 4, disk->discard_sectors != 0);
	put(disk, VIRTIO_BLK_DISCARD_ALIGNMENT, 4, disk->discard_sectors != 0 ? alignment : 0);
	put(disk, VIRTIO_BLK_ZEROES_SECTORS, 4, disk->zeroes_sectors);
	put(disk, VIRTIO_BLK_ZEROES_SEGMENTS, 4, disk->zeroes_sectors != 0);
	put(disk, VIRTIO_BLK_ZEROES_MAY_UNMAP, 1, disk->zeroes_sectors != 0);
}

static int create(struct vm *vm, const struct vm_disk *from)
{
	struct vdisk *disk = vm_alloc(vm, sizeof *disk);
	bool is_host = from->image.size == 0, read_only = from->image.mode == DESC_IMAGE_RO;

	if (disk == NULL)
		return ERR_NO_MEMORY;
	disk->name = from->name;
	disk->dev.vm = vm;
	disk->dev.nr_queues = (uint8_t)(vm->nr_vcpus < VDISK_QUEUES ? vm->nr_vcpus : VDISK_QUEUES);
	disk->dev.queue = vm_alloc(vm, disk->dev.nr_queues * sizeof *disk->dev.queue);
	if (disk->dev.queue == NULL)
		return ERR_NO_MEMORY;
	disk->dev.config = disk->config;
	disk->dev.config_size = sizeof disk->config;
	int error = is_host ? vdisk_host_create(disk, from) : vdisk_image_create(disk, from);
	if (error == 0 && disk->sectors > VDISK_SECTORS_MAX)
		error = ERR_RANGE;
	if (error != 0)
		return error;
	write_config(disk);
	const struct vvirtio_ops *kind = kind_of(disk, read_only);
	disk->features = kind->features;
	return vvirtio_add(vm, &disk->dev, kind);
}

int vvirtio_blk_create(struct vm *vm)
{
	int error = 0;

	for (uint32_t i = 0; i < vm->nr_disks && error == 0; i++)
		error = create(vm, &vm->disk[i]);
	return error;
}

int vvirtio_blk_begin_life(struct vm *vm)
{
	for (uint32_t i = 0; i < vm->virtio->count; i++) {
		struct vdisk *disk = (struct vdisk *)vm->virtio->slot[i];
		if (disk->dev.ops->id == VIRTIO_BLOCK && disk->ops->begin_life != NULL)
			disk->ops->begin_life(disk);
	}
	return 0;
}

// A request in hand is not named: until it is over its buffer is in the ring, and it is begun anew; one that is with the
// board's device is waited for first. What an image holds besides are its pages.
static const struct vstate_field fields[] = {
        VSTATE_ARRAY(struct vdisk, config),
};

const struct vstate vvirtio_blk_state = {"virtio-blk", fields, ARRAY_SIZE(fields), NULL};
