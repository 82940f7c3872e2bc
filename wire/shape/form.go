package shape

import "sync/atomic"

// Form keeps the JSON of the structure whose field it is, and that nobody changes any
// more, so that it is made once. A structure without one is written anew each time.
type Form struct{ json atomic.Pointer[[]byte] }

// JSON returns what was kept, which must not be written to; nil if nothing was yet.
func (f *Form) JSON() []byte {
	if b := f.json.Load(); b != nil {
		return *b
	}
	return nil
}

// KeepJSON keeps b, which must not be written to any more.
func (f *Form) KeepJSON(b []byte) { f.json.Store(&b) }

// Form returns what keeps the form of the structure at r; nil if nothing does.
func (p *Plan) Form(r Ref) *Form {
	if p.form == 0 {
		return nil
	}
	return r.form(p.form)
}
