(component (import "evil:host/things@1.0.0" (instance (export "thing" (type (sub resource))))))
