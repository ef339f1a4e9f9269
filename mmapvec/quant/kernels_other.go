package quant

var machineKernels = &genericKernels
