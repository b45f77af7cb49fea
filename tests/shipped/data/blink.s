	.text
	.global main
main:
	ldi r24, 0xff
	out 0x04, r24
again:
	com r24
	out 0x05, r24
	rjmp again
