//go:build !amd64 || purego

package kernels

func underTCG() bool { return false }
