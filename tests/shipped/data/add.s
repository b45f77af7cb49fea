TEXT ·Answer(SB), 4, $0-8
	I64Const $42
	I64Store ret-0(FP)
	RET
