package server

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "isobath.yaml")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func TestFlagsWinOverEnvironmentOverFile(t *testing.T) {
	name := file(t, `
log_level: debug
memory_limit: 2GiB
service: {http_port: 1000, api_key: 123, host: 127.0.0.2}
resp: {port: 3000, config: {timeout: 5}}
storage:
  storage_path: /file
  on_disk_payload: false
  hnsw_index: {m: 0, ef_construct: 200, full_scan_threshold_kb: 500}
  collection: {vectors: {on_disk: true}, quantization: {scalar: {type: int8}}}
`)
	l, err := Load(Sources{File: name,
		Env: []string{"HOME=/x", "QDRANT__SERVICE__HTTP_PORT=1999", "ISOBATH__SERVICE__HTTP_PORT=2000", "QDRANT__STORAGE__STORAGE_PATH=/env",
			"ISOBATH__STORAGE__HNSW_INDEX__M=32", "QDRANT__LOG_LEVEL=odd"},
		Flags: map[string]string{"data-dir": "/flag", "resp-addr": "[::1]:4000"}})
	require.NoError(t, err)
	c := l.Config
	require.Equal(t, "127.0.0.2:2000", c.HTTPAddr)
	require.Equal(t, "[::1]:4000", c.RESPAddr)
	require.Equal(t, "/flag", c.DataDir)
	require.Equal(t, "123", c.APIKey)
	require.Equal(t, int64(2<<30), c.MemoryLimit)
	require.Equal(t, slog.LevelDebug, c.LogLevel)
	require.Equal(t, map[string]string{"timeout": "5"}, c.RESP)
	require.Equal(t, uint64(32), *c.Defaults.M)
	require.Equal(t, uint64(200), c.Defaults.EfConstruct)
	require.Equal(t, uint64(500), c.Defaults.FullScanThreshold)
	require.True(t, c.Defaults.PayloadInMemory)
	require.True(t, c.Defaults.VectorsOnDisk)
	require.JSONEq(t, `{"scalar":{"type":"int8"}}`, string(c.Defaults.Quantization))
	require.Contains(t, l.Origins, Origin{"service.api_key", "(hidden)", "file"})
	require.Contains(t, l.Origins, Origin{"service.http_port", "2000", "ISOBATH__SERVICE__HTTP_PORT"})
	require.Contains(t, l.Origins, Origin{"storage.storage_path", "/flag", "--data-dir"})
}

func TestDefaultsWithoutSources(t *testing.T) {
	l, err := Load(Sources{})
	require.NoError(t, err)
	require.Empty(t, l.Origins)
	require.Equal(t, "127.0.0.1:6333", l.Config.HTTPAddr)
	require.Equal(t, "127.0.0.1:6379", l.Config.RESPAddr)
	require.NoError(t, l.Config.withDefaults().validate())
}

func TestUnknownKeysAreNamed(t *testing.T) {
	_, err := Load(Sources{File: file(t, "service: {htpt_port: 1}\nstorage: {hnsw_index: {mm: 3}}\n")})
	require.ErrorContains(t, err, "unknown key htpt_port")
	require.ErrorContains(t, err, "unknown key mm")
	require.NotContains(t, err.Error(), "server.")
	_, err = Load(Sources{Env: []string{"ISOBATH__SERVICE__PROT=1"}})
	require.ErrorContains(t, err, "unknown key prot")
	for name, want := range map[string]string{
		"ISOBATH__STORAGE__HNSW_INDEX__MM=1":                "ISOBATH__STORAGE__HNSW_INDEX__MM: unknown key mm",
		"ISOBATH__STORAGE__HNSW_INDEX__M=x":                 "ISOBATH__STORAGE__HNSW_INDEX__M: cannot unmarshal !!str `x`, expected a whole number",
		"ISOBATH__SERVICE__HTTP_PORT=99999":                 "ISOBATH__SERVICE__HTTP_PORT: cannot unmarshal !!int `99999`, expected a whole number up to 65535",
		"ISOBATH__STORAGE__ON_DISK_PAYLOAD=x":               "expected true or false",
		"ISOBATH__STORAGE__COLLECTION__QUANTIZATION=x":      "expected a map",
		"ISOBATH__STORAGE__HNSW_INDEX=x":                    "expected a map",
		"ISOBATH__STORAGE__OPTIMIZERS__DELETED_THRESHOLD=x": "expected a number",
	} {
		_, err = Load(Sources{Env: []string{name}})
		require.ErrorContains(t, err, want)
		require.NotRegexp(t, `struct|line \d`, err.Error())
	}
	_, err = Load(Sources{Flags: map[string]string{"http-addr": "127.0.0.1:x"}})
	require.ErrorContains(t, err, "--http-addr: cannot unmarshal")
	_, err = Load(Sources{File: file(t, "service: {http_port: x}\n")})
	require.ErrorContains(t, err, "line 1: cannot unmarshal")
	_, err = Load(Sources{File: file(t, "service: {enable_tls: true}\n")})
	require.ErrorContains(t, err, "service.enable_tls is not supported yet")
	_, err = Load(Sources{File: file(t, "storage: {optimizers: {prevent_unoptimized: true}}\n")})
	require.ErrorContains(t, err, "storage.optimizers.prevent_unoptimized is not supported yet")
	_, err = Load(Sources{File: file(t, "memory_limit: much\n")})
	require.ErrorContains(t, err, "memory_limit")
	_, err = Load(Sources{File: "/does/not/exist"})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestQdrantKeysWithoutMeaningWarn(t *testing.T) {
	l, err := Load(Sources{File: file(t, "telemetry_disabled: true\nservice: {grpc_port: 6334, max_workers: 0}\ncluster: {enabled: false, p2p: {port: 1}}\nstorage: {optimizers: {prevent_unoptimized: null}, performance: {max_optimization_threads: 0, async_scorer: true}, snapshots_path: ./s}\n")})
	require.NoError(t, err)
	require.Equal(t, []string{
		"service.grpc_port has no meaning here and is ignored", "service.max_workers has no meaning here and is ignored",
		"storage.performance.max_optimization_threads has no meaning here and is ignored",
		"storage.performance.async_scorer has no meaning here and is ignored", "storage.snapshots_path has no meaning here and is ignored",
		"cluster has no meaning here and is ignored", "telemetry_disabled has no meaning here and is ignored",
	}, l.Warnings)
}

func TestAddressesThatOthersReachNeedAKey(t *testing.T) {
	open := Config{HTTPAddr: "0.0.0.0:1", RESPAddr: "[::]:2"}.withDefaults()
	err := open.validate()
	require.ErrorContains(t, err, "--http-addr 0.0.0.0:1")
	require.ErrorContains(t, err, "--resp-addr [::]:2")
	require.ErrorContains(t, err, "service.api_key")
	require.ErrorContains(t, err, "--insecure-no-auth")
	open.InsecureNoAuth = true
	require.NoError(t, open.validate())
	open.InsecureNoAuth, open.APIKey = false, "k"
	require.NoError(t, open.validate())
	require.NoError(t, Config{HTTPAddr: "localhost:1", RESPAddr: respOff}.withDefaults().validate())
	bad := uint64(3)
	require.ErrorContains(t, Config{HTTPAddr: "x", MemoryLimit: 5}.withDefaults().validate(), "128 MiB")
	c := Config{}.withDefaults()
	c.Defaults.EfConstruct = bad
	require.ErrorContains(t, c.validate(), "storage.hnsw_index.ef_construct")
}
