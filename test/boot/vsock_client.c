// SPDX-License-Identifier: Apache-2.0
// A program for Linux guests that uses stream sockets between VMs and to Mezzo as any other would. Built and started by
// test_vsock.py.
//   listen PORT            takes connections, one after the other; for each what it was sent: bytes and a sum
//   send CID PORT BYTES    sends a pattern, then asks how much arrived
//   hold CID PORT          connects and reads until there is an end; then says which
//   ask CID PORT LINE...   sends lines, then prints what comes until there is an end
//   flood CID PORT COUNT   asks for connections without waiting, and says what became of them
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h> // wants what sys/socket.h has

static unsigned char bytes[1 << 16];

static struct sockaddr_vm address(const char *cid, const char *port)
{
	return (struct sockaddr_vm){
	        .svm_family = AF_VSOCK,
	        .svm_cid = (unsigned)strtoul(cid, NULL, 10),
	        .svm_port = (unsigned)strtoul(port, NULL, 10),
	};
}

static int say_error(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	return 1;
}

static int reach(char **argv, int flags)
{
	struct sockaddr_vm to = address(argv[2], argv[3]);
	int fd = socket(AF_VSOCK, SOCK_STREAM | flags, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) != 0 &&
	    errno != EINPROGRESS) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static uint32_t sum_of(uint32_t sum, const unsigned char *at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum = sum * 31 + at[i];
	return sum;
}

static int do_listen(char **argv)
{
	struct sockaddr_vm here = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY};
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	here.svm_port = address("0", argv[2]).svm_port;
	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here) != 0 || listen(fd, 8) != 0)
		return say_error("listen");
	printf("listening\n");
	fflush(stdout);
	for (;;) {
		struct sockaddr_vm peer;
		socklen_t size = sizeof peer;
		int one = accept(fd, (struct sockaddr *)&peer, &size);
		uint64_t total = 0;
		uint32_t sum = 0;
		ssize_t n;
		if (one < 0)
			return say_error("accept");
		while ((n = read(one, bytes, sizeof bytes)) > 0) {
			sum = sum_of(sum, bytes, (size_t)n);
			total += (uint64_t)n;
		}
		printf("got %llu sum %08x from %u\n", (unsigned long long)total, sum, peer.svm_cid);
		fflush(stdout);
		if (dprintf(one, "%llu", (unsigned long long)total) < 0)
			say_error("answer");
		close(one);
	}
}

static int do_send(char **argv)
{
	int fd = reach(argv, 0);
	unsigned long left = strtoul(argv[4], NULL, 10), next = 0;
	uint32_t sum = 0;
	char answer[32] = "";

	if (fd < 0)
		return say_error("connect");
	while (left != 0) {
		size_t size = left < 60001 ? left : 60001; // no size that anybody else likes
		for (size_t i = 0; i < size; i++)
			bytes[i] = (unsigned char)((next + i) * 7 + (next + i) / 251);
		sum = sum_of(sum, bytes, size);
		next += size;
		left -= size;
		for (size_t done = 0; done < size;) {
			ssize_t n = write(fd, bytes + done, size - done);
			if (n < 0)
				return say_error("write");
			done += (size_t)n;
		}
	}
	shutdown(fd, SHUT_WR);
	if (read(fd, answer, sizeof answer - 1) < 0)
		return say_error("read");
	printf("sent %lu sum %08x, %s arrived\n", next, sum, answer);
	return 0;
}

static int do_hold(char **argv)
{
	int fd = reach(argv, 0);
	ssize_t n;

	if (fd < 0)
		return say_error("connect");
	printf("holding\n");
	fflush(stdout);
	while ((n = read(fd, bytes, sizeof bytes)) > 0)
		;
	if (n < 0)
		return say_error("over");
	printf("over\n");
	return 0;
}

static int do_ask(char **argv)
{
	int fd = reach(argv, 0);
	ssize_t n;

	if (fd < 0)
		return say_error("connect");
	for (char **line = argv + 4; *line != NULL; line++)
		if (dprintf(fd, "%s\n", *line) < 0)
			return say_error("write");
	shutdown(fd, SHUT_WR);
	while ((n = read(fd, bytes, sizeof bytes)) > 0)
		fwrite(bytes, 1, (size_t)n, stdout);
	if (n < 0)
		return say_error("read");
	printf("end of answers\n");
	return 0;
}

static int do_flood(char **argv)
{
	unsigned long count = strtoul(argv[4], NULL, 10), refused = 0, open = 0, other = 0;

	for (unsigned long i = 0; i < count; i++) {
		int fd = reach(argv, SOCK_NONBLOCK), error = errno;
		struct pollfd wait = {.fd = fd, .events = POLLOUT};
		socklen_t size = sizeof error;
		if (fd >= 0) {
			poll(&wait, 1, 5000);
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
		}
		if (fd >= 0 && error == 0)
			open++; // and stays so
		else if (error == ECONNRESET || error == ECONNREFUSED)
			refused++;
		else
			other++;
		if (fd >= 0 && error != 0)
			close(fd);
	}
	printf("flood: %lu open, %lu refused, %lu other\n", open, refused, other);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(char **argv);
		int least;
	} rows[] = {
	        {"listen", do_listen, 3}, {"send", do_send, 5},   {"hold", do_hold, 4},
	        {"ask", do_ask, 5},       {"flood", do_flood, 5},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (argc >= rows[i].least && strcmp(argv[1], rows[i].name) == 0)
			return rows[i].run(argv);
	return 2;
}
