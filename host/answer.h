// SPDX-License-Identifier: Apache-2.0
// Commands for Mezzo's shell and their answers: one is sent, its answer printed as one line of JSON,
// then the next.
#ifndef HOST_ANSWER_H
#define HOST_ANSWER_H

#include "link.h"

struct answers;

struct answers *answers_new(char **commands, size_t count);

// The directory is known: sends the first command. `who`: prefix of messages.
void answers_start(struct answers *answers, struct link *link, const char *who, int64_t now);

// As link_ops.answer and link_ops.refused.
void answers_take(struct answers *answers, struct link *link, uint32_t number, const uint8_t *bytes,
                  size_t size, bool last, uint32_t missing);
void answers_refused(struct answers *answers, struct link *link, const char *why);

// The link is down.
void answers_fail(struct answers *answers, const char *who, const char *why);

// Something of what the command under way is about came another way.
void answers_alive(struct answers *answers);

// Whether an answer of Mezzo's shell is an error, whatever stands before it; then `why` gets the sentence.
bool answer_is_error(const uint8_t *text, size_t size, char *why, size_t room);

// Gives up on an answer that does not come.
void answers_tick(struct answers *answers, const char *who, int64_t now);
int64_t answers_due(const struct answers *answers);

// STATUS_OK or STATUS_FAILED (an answer was an error) at the end; -1 before.
int answers_status(const struct answers *answers);

#endif
