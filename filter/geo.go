package filter

import (
	"math"
	"sync"

	"github.com/isobath/isobath/payload"
)

const earthRadiusMetres = 6_371_008.8

func validPoint(p GeoPoint) bool {
	return p.Lat >= -90 && p.Lat <= 90 && p.Lon >= -180 && p.Lon <= 180
}

var geoPaths = sync.OnceValues(func() (lon, lat payload.Path) {
	lon, _ = payload.ParsePath("lon")
	lat, _ = payload.ParsePath("lat")
	return lon, lat
})

func geoTest(holds func(GeoPoint) bool) func(payload.Value) bool {
	return func(v payload.Value) bool {
		p, ok := geoValue(v)
		return ok && holds(p)
	}
}

// geoValue reads {"lon": number, "lat": number} within their ranges.
func geoValue(v payload.Value) (GeoPoint, bool) {
	if v.Kind != payload.Object {
		return GeoPoint{}, false
	}
	lonPath, latPath := geoPaths()
	lon, ok1 := numberAt(lonPath, v.Raw)
	lat, ok2 := numberAt(latPath, v.Raw)
	p := GeoPoint{Lon: lon, Lat: lat}
	return p, ok1 && ok2 && validPoint(p)
}

func numberAt(path payload.Path, doc []byte) (f float64, ok bool) {
	path.Each(doc, func(v payload.Value) bool {
		f, ok = v.Float64(), v.Kind == payload.Int || v.Kind == payload.Float
		return false
	})
	return f, ok
}

// contains compares the haversine distance in metres on a sphere of the mean earth radius.
func (g GeoRadius) contains(p GeoPoint) bool {
	const rad = math.Pi / 180
	sinLat := math.Sin((p.Lat - g.Center.Lat) * rad / 2)
	sinLon := math.Sin((p.Lon - g.Center.Lon) * rad / 2)
	h := sinLat*sinLat + math.Cos(p.Lat*rad)*math.Cos(g.Center.Lat*rad)*sinLon*sinLon
	return 2*earthRadiusMetres*math.Asin(math.Sqrt(min(h, 1))) < g.Radius
}

func (g GeoBox) contains(p GeoPoint) bool {
	if p.Lat >= g.TopLeft.Lat || p.Lat <= g.BottomRight.Lat {
		return false
	}
	if g.TopLeft.Lon > g.BottomRight.Lon {
		return p.Lon > g.TopLeft.Lon || p.Lon < g.BottomRight.Lon
	}
	return p.Lon > g.TopLeft.Lon && p.Lon < g.BottomRight.Lon
}

func (g GeoPolygon) contains(p GeoPoint) bool {
	if where(g.Exterior, p) != inside {
		return false
	}
	for _, ring := range g.Interiors {
		if where(ring, p) != outside {
			return false
		}
	}
	return true
}

type position uint8

const (
	outside position = iota
	inside
	boundary
)

// where finds p against a closed ring in plane degrees by counting crossings of a ray to the east.
func where(ring []GeoPoint, p GeoPoint) position {
	in := false
	for i := 1; i < len(ring); i++ {
		a, b := ring[i-1], ring[i]
		cross := (b.Lon-a.Lon)*(p.Lat-a.Lat) - (b.Lat-a.Lat)*(p.Lon-a.Lon)
		if cross == 0 && p.Lon >= min(a.Lon, b.Lon) && p.Lon <= max(a.Lon, b.Lon) &&
			p.Lat >= min(a.Lat, b.Lat) && p.Lat <= max(a.Lat, b.Lat) {
			return boundary
		}
		if (a.Lat > p.Lat) != (b.Lat > p.Lat) && (cross > 0) == (b.Lat > a.Lat) {
			in = !in
		}
	}
	if in {
		return inside
	}
	return outside
}
