// SPDX-License-Identifier: Apache-2.0
// The two instructions that call the firmware. The convention lets the callee change x4..x17 beyond
// its results; what C expects to keep (x19..x30, sp) it keeps.

	.text

// void smccc_call(bool hvc, const uint64_t in[8], uint64_t out[4])
// In: w0 = hvc, x1 = in, x2 = out. Changes what any C function may.
	.global	smccc_call
	.type	smccc_call, %function
smccc_call:
	hint	#25			// paciasp, which is a landing pad as well
	stp	x29, x30, [sp, #-32]!
	mov	x29, sp
	str	x2, [sp, #16]
	mov	w16, w0
	mov	x17, x1
	ldp	x0, x1, [x17]
	ldp	x2, x3, [x17, #16]
	ldp	x4, x5, [x17, #32]
	ldp	x6, x7, [x17, #48]
	cbz	w16, 1f
	hvc	#0
	b	2f
1:	smc	#0
2:	ldr	x16, [sp, #16]
	stp	x0, x1, [x16]
	stp	x2, x3, [x16, #16]
	ldp	x29, x30, [sp], #32
	hint	#29			// autiasp
	ret
	.size	smccc_call, . - smccc_call
