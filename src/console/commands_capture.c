// SPDX-License-Identifier: Apache-2.0
// `capture`: what goes through a port of a switch, as a file for the host. Owns the one capture that can be on its way;
// called by shell.c, a step at a time.
//
// Records wait in vdev/vcapture.c until the host's credit has made room for them; what finds no room there is counted, and
// the answer says how many that were.
// Invariant: `capture` belongs to the job whose channel is not gone; there is one such channel at most.
#include "base/atomic.h"
#include "base/print.h"
#include "console/console.h"
#include "console/link.h"
#include "console/shell.h"
#include "hw/timer.h"
#include "vdev/vcapture.h"
#include "vdev/vswitch.h"

#define SECONDS_DEFAULT 10
#define SECONDS_MOST    3600
#define RECORDS_A_STEP  8

// What a job keeps.
struct shot {
	uint16_t channel; // 0: none
	bool stopped;     // nothing is recorded any more
	bool sending;     // nothing is added to the file any more
	uint64_t frames, bytes, lost;
};
STATIC_ASSERT(sizeof(struct shot) <= SHELL_SCRATCH, "a job keeps it");

static struct { // atomically: what the next step waits for
	uint32_t channel, stopped, sending;
	uint64_t until; // ticks
} capture;

static bool ready(void)
{
	if (link_file_gone((uint16_t)load_relaxed(&capture.channel)))
		return true;
	if (load_relaxed(&capture.sending) != 0)
		return false;
	if (load_relaxed(&capture.stopped) == 0 && timer_now() >= load_relaxed(&capture.until))
		return true;
	if (vcapture_waits())
		return ring_room(link_file_ring()) >= VCAPTURE_MOST;
	return load_relaxed(&capture.stopped) != 0;
}

static bool get_seconds(const char *text, uint64_t *seconds)
{
	*seconds = 0;
	for (; *text >= '0' && *text <= '9' && *seconds <= SECONDS_MOST; text++)
		*seconds = *seconds * 10 + (uint64_t)(*text - '0');
	return *text == '\0' && *seconds >= 1 && *seconds <= SECONDS_MOST;
}

static void write_file(struct shot *shot, const uint8_t *bytes, uint32_t size)
{
	ring_put_all(link_file_ring(), bytes, size);
	shot->bytes += size;
}

static bool begin(struct shell_job *job)
{
	struct shot *shot = (struct shot *)job->scratch;
	const struct vswitch_port *port = vswitch_find_port(job->argv[1]);
	uint8_t head[VCAPTURE_BEGIN];
	char name[VSWITCH_NAME + 8];
	uint64_t seconds = SECONDS_DEFAULT;
	const char *why;

	if (port == NULL) {
		answer_error(&job->out, "there is no port %s: `net` lists them", job->argv[1]);
		return false;
	}
	if (job->argc > 2 && !get_seconds(job->argv[2], &seconds)) {
		answer_error(&job->out, "capture for 1 to %u seconds", SECONDS_MOST);
		return false;
	}
	(void)print_buffer(name, sizeof name, "%s.pcap", job->argv[1]);
	shot->channel = console_file_begin(name, 0, &why);
	if (shot->channel == 0) {
		answer_error(&job->out, "%s: %s", name, why);
		return false;
	}
	if (vcapture_begin(port) != 0) {
		console_file_end(shot->channel, "there is no memory for it");
		shot->channel = 0;
		answer_error(&job->out, "%s: there is no memory left for a capture", name);
		return false;
	}
	store_relaxed(&capture.until, timer_now() + timer_from_ms(seconds * 1000));
	store_relaxed(&capture.stopped, 0);
	store_relaxed(&capture.sending, 0);
	store_relaxed(&capture.channel, shot->channel);
	answer_number(&job->out, "channel", NULL, ANSWER_NUMBER, shot->channel);
	vcapture_file(head);
	write_file(shot, head, sizeof head);
	return true;
}

static void take_some(struct shot *shot)
{
	uint8_t record[VCAPTURE_MOST];

	for (unsigned i = 0; i < RECORDS_A_STEP && ring_room(link_file_ring()) >= sizeof record;
	     i++) {
		uint32_t size = vcapture_take(record);
		if (size == 0)
			return;
		write_file(shot, record, size);
		shot->frames++;
	}
}

static void stop(struct shot *shot)
{
	if (shot->stopped)
		return;
	shot->lost = vcapture_end();
	shot->stopped = true;
	store_relaxed(&capture.stopped, 1);
}

static bool command_capture(struct shell_job *job)
{
	struct shot *shot = (struct shot *)job->scratch;

	if (job->step == 0)
		return begin(job);
	if (link_file_gone(shot->channel)) {
		shot->channel = 0;
		stop(shot);
		answer_number(&job->out, "frames", "frames", ANSWER_NUMBER, shot->frames);
		answer_number(&job->out, "lost", "lost", ANSWER_NUMBER, shot->lost);
		answer_number(&job->out, "bytes", "bytes", ANSWER_NUMBER, shot->bytes);
		return false;
	}
	if (shot->sending)
		return true;
	if (timer_now() >= load_relaxed(&capture.until))
		stop(shot);
	take_some(shot);
	if (!shot->stopped || vcapture_waits())
		return true;
	shot->sending = true;
	store_relaxed(&capture.sending, 1);
	console_file_end(shot->channel, NULL);
	return true;
}

static void end_capture(struct shell_job *job)
{
	const struct shot *shot = (const struct shot *)job->scratch;

	if (shot->channel == 0)
		return;
	if (!shot->stopped)
		(void)vcapture_end();
	console_file_end(shot->channel, "the command was broken off");
}

const struct shell_command shell_capture_commands[] = {
        {"capture", "PORT [SECONDS]", "what goes through a port of a net, as a file for the host",
         command_capture, 1, 2, .end = end_capture, .ready = ready},
        {0},
};
