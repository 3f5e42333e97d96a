// SPDX-License-Identifier: Apache-2.0
//
// Opens wires. Called by cmd_console.c and cmd_screen.c, which own what they get.
#include "wire.h"

#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>

static const struct {
	unsigned int baud;
	speed_t speed;
} speeds[] = {
        {9600, B9600},       {19200, B19200},     {38400, B38400},     {57600, B57600},
        {115200, B115200},   {230400, B230400},   {460800, B460800},   {921600, B921600},
        {1000000, B1000000}, {1500000, B1500000}, {2000000, B2000000}, {3000000, B3000000},
};

// Raw, 8 data bits, no parity, one stop bit, no flow control: what Mezzo's UART drivers expect.
static const char *set_serial(int fd, unsigned int baud)
{
	struct termios settings;
	size_t i = 0;

	while (i < ARRAY_SIZE(speeds) && speeds[i].baud != baud)
		i++;
	if (i == ARRAY_SIZE(speeds))
		return util_format("%u baud is no usual speed", baud);
	if (tcgetattr(fd, &settings) != 0)
		return "it is no serial device";
	cfmakeraw(&settings);
	settings.c_cflag &= ~(tcflag_t)(CSTOPB | CRTSCTS | PARENB);
	settings.c_cflag |= CLOCAL | CREAD;
	cfsetispeed(&settings, speeds[i].speed);
	cfsetospeed(&settings, speeds[i].speed);
	if (tcsetattr(fd, TCSANOW, &settings) != 0)
		return strerror(errno);
	ioctl(fd, TIOCEXCL); // a second program would take half of the bytes
	return NULL;
}

static const char *open_socket(const char *path, int *fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return "its name is too long for a socket";
	memcpy(address.sun_path, path, strlen(path));
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0 || connect(*fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return errno == ECONNREFUSED ? "nobody listens there; has QEMU ended?"
		                             : strerror(errno);
	return NULL;
}

const char *wire_open(const char *path, unsigned int baud, int *fd)
{
	const char *why;
	struct stat st;

	if (stat(path, &st) != 0)
		return strerror(errno);
	if (S_ISSOCK(st.st_mode)) {
		why = open_socket(path, fd);
	} else if (S_ISCHR(st.st_mode)) {
		*fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
		why = *fd < 0 ? strerror(errno) : set_serial(*fd, baud);
	} else {
		return "it is neither a serial device nor a socket";
	}
	if (why == NULL)
		fcntl(*fd, F_SETFL, O_NONBLOCK);
	return why;
}
