// SPDX-License-Identifier: Apache-2.0
// The shell's command about networks. Owns nothing: what it keeps from step to step is in the job. Called by shell.c alone,
// a step at a time.
#include "base/print.h"
#include "base/string.h"
#include "console/shell.h"
#include "vdev/vswitch.h"

#define ROWS_A_STEP 4
#define MAC_TEXT    18

// Where it has come to: the nets first, then their ports, then what each port lost.
struct at {
	enum { NETS, PORTS, LOST, DONE } table;
	bool begun;
	uint32_t net, port;
};
STATIC_ASSERT(sizeof(struct at) <= SHELL_SCRATCH, "a job keeps it");

static const struct answer_column net_columns[] = {
        {"net", "NET", ANSWER_TEXT, -16},
        {"uplink", "UPLINK", ANSWER_TEXT, -8},
        {"anti_spoof", "ANTI-SPOOF", ANSWER_YES, -11},
        {"limit", "LIMIT/s", ANSWER_SIZE, 8},
        {"learned", "LEARNED", ANSWER_NUMBER, 8},
};
static const struct answer_column port_columns[] = {
        {"port", "PORT", ANSWER_TEXT, -16},   {"net", "NET", ANSWER_TEXT, -8},
        {"mac", "ADDRESS", ANSWER_TEXT, -18}, {"open", "OPEN", ANSWER_YES, -5},
        {"sent", "SENT", ANSWER_NUMBER, 9},   {"sent_bytes", "BYTES", ANSWER_SIZE, 8},
        {"got", "GOT", ANSWER_NUMBER, 9},     {"got_bytes", "BYTES", ANSWER_SIZE, 8},
        {"lost", "LOST", ANSWER_NUMBER, 8},
};
static const struct answer_column lost_columns[] = {
        {"port", "LOST AT", ANSWER_TEXT, -16},
        {"no_buffer", "NO-BUFFER", ANSWER_NUMBER, 10},
        {"too_small", "TOO-SMALL", ANSWER_NUMBER, 10},
        {"no_memory", "NO-MEMORY", ANSWER_NUMBER, 10},
        {"malformed", "MALFORMED", ANSWER_NUMBER, 10},
        {"spoofed", "SPOOFED", ANSWER_NUMBER, 8},
        {"too_long", "TOO-LONG", ANSWER_NUMBER, 9},
};

static const struct {
	const char *key;
	const struct answer_column *columns;
	unsigned count;
} tables[] = {
        [NETS] = {"nets", net_columns, ARRAY_SIZE(net_columns)},
        [PORTS] = {"ports", port_columns, ARRAY_SIZE(port_columns)},
        [LOST] = {"losses", lost_columns, ARRAY_SIZE(lost_columns)},
};

static uint64_t get(const uint64_t *counter)
{
	return load_relaxed(counter);
}

static void show_net(struct shell_job *job, uint32_t net)
{
	struct vswitch_info info;

	if (vswitch_info(net, &info))
		answer_row(&job->out,
		           (struct answer_value[]){
		                   {.text = vswitch_name(net)},
		                   {.text = info.uplink},
		                   {.number = info.anti_spoof ? 1 : 0},
		                   {.number = info.limit != 0 ? info.limit : ANSWER_NONE},
		                   {.number = info.learned}});
}

static void show_port(struct shell_job *job, const struct vswitch_port *port, const char *net)
{
	const struct vswitch_count *count = &port->count;
	char name[VSWITCH_NAME], mac[MAC_TEXT];
	uint8_t bytes[VFRAME_ALEN];
	uint64_t address = load_relaxed(&port->mac), lost = 0;

	string_copy(name, port->name, sizeof name);
	vframe_put_mac(bytes, address);
	print_buffer(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2],
	             bytes[3], bytes[4], bytes[5]);
	for (unsigned i = VSWITCH_NOT_WANTED + 1; i < VSWITCH_OUTCOMES; i++)
		lost += get(&count->lost[i]);
	answer_row(&job->out,
	           (struct answer_value[]){{.text = name},
	                                   {.text = net},
	                                   {.text = address != 0 ? mac : NULL},
	                                   {.number = vswitch_port_is_open(port) ? 1 : 0},
	                                   {.number = get(&count->sent)},
	                                   {.number = get(&count->sent_bytes)},
	                                   {.number = get(&count->got)},
	                                   {.number = get(&count->got_bytes)},
	                                   {.number = lost}});
}

static void show_lost(struct shell_job *job, const struct vswitch_port *port)
{
	struct answer_value values[ARRAY_SIZE(lost_columns)];
	char name[VSWITCH_NAME];

	string_copy(name, port->name, sizeof name);
	values[0] = (struct answer_value){.text = name};
	for (unsigned i = 1; i < ARRAY_SIZE(values); i++)
		values[i] = (struct answer_value){
		        .number = get(&port->count.lost[VSWITCH_NOT_WANTED + i])};
	answer_row(&job->out, values);
}
STATIC_ASSERT(VSWITCH_OUTCOMES - VSWITCH_NOT_WANTED == ARRAY_SIZE(lost_columns),
              "each reason has a column");

// One row. False: the table has no more.
static bool show_next(struct shell_job *job, struct at *at)
{
	const char *net = vswitch_name(at->net);

	if (net == NULL)
		return false;
	if (at->table == NETS) {
		show_net(job, at->net++);
		return true;
	}
	const struct vswitch_port *port = vswitch_port_from(at->net, at->port);
	if (port == NULL) {
		at->net++;
		at->port = 0;
		return true;
	}
	at->port = port->number + 1U;
	if (at->table == PORTS)
		show_port(job, port, net);
	else
		show_lost(job, port);
	return true;
}

static bool command_net(struct shell_job *job)
{
	struct at *at = (struct at *)job->scratch;

	if (vswitch_name(0) == NULL && !job->out.json) {
		answer_say(&job->out, NULL, "no virtual machine is at a net");
		return false;
	}
	if (!at->begun)
		answer_table(&job->out, tables[at->table].key, tables[at->table].columns,
		             tables[at->table].count);
	at->begun = true;
	for (unsigned i = 0; i < ROWS_A_STEP; i++) {
		if (show_next(job, at))
			continue;
		answer_close(&job->out);
		*at = (struct at){.table = at->table + 1};
		break;
	}
	return at->table != DONE;
}

const struct shell_command shell_net_commands[] = {
        {"net", "", "networks, who is at them, and what went through", command_net, .most = 0},
        {0},
};
