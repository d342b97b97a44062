//go:build !purego

package kernels

func partsAMX() (k partsKernels) {
	k.split[1], k.split[exactParts], k.turn = split1AMX, split3AMX, turnAMX
	k.mul[1][1] = [3]func(*partsArgs){nil, parts1x1x1AMX, parts1x1x2AMX}
	k.mul[1][2] = [3]func(*partsArgs){nil, parts1x2x1AMX, parts1x2x2AMX}
	k.mul[exactParts][1] = [3]func(*partsArgs){nil, parts3x1x1AMX, parts3x1x2AMX}
	k.mul[exactParts][2] = [3]func(*partsArgs){nil, parts3x2x1AMX, parts3x2x2AMX}
	k.one[1], k.one[exactParts] = one1AMX, one3AMX
	k.wide[1], k.wide[exactParts] = wide1AMX, wide3AMX
	return k
}
