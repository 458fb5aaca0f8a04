//! The canonical text of the interfaces that call channels name: two components may call one another exactly when these
//! texts agree. Every named type is spelt out, so that it does not matter where it was declared.

use crate::config::{CALL_DEPTH_MAX, CALL_PARAMETERS_MAX};
use std::ffi::{CStr, c_char};
use std::fmt::{self, Write as _};
use wasmparser::PrimitiveValType as Primitive;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType as Defined, ComponentEntityType as Entity,
    ComponentFuncType, ComponentValType,
};
use wasmparser::types::TypesRef;

const TEXTS_MAX: usize = 1 << 20;

/// `struct cvm_engine_interfaces`
#[repr(C)]
pub struct Named {
    exports: *const *const c_char,
    n_exports: usize,
    imports: *const *const c_char,
    n_imports: usize,
}

#[derive(Default)]
pub struct Interfaces<'a> {
    pub exports: Vec<&'a str>,
    pub imports: Vec<&'a str>,
}

impl Named {
    /// # Safety
    /// As the C header says.
    pub unsafe fn interfaces(&self) -> Interfaces<'_> {
        let list = |first: *const *const c_char, n: usize| {
            let text = |i| unsafe { CStr::from_ptr(*first.add(i)) }.to_str();
            (0..n).map(|i| text(i).unwrap_or("")).collect()
        };
        Interfaces {
            exports: list(self.exports, self.n_exports),
            imports: list(self.imports, self.n_imports),
        }
    }
}

/// Ends of `enum cvm_engine_admission_end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    Resource = 6,
    Stream,
    Future,
    ErrorContext,
    Parameters,
    Import,
    Export,
    Type,
}

#[derive(Debug)]
pub struct Refusal {
    pub why: Why,
    pub side: u32,
    pub interface: u32,
    pub function: u32,
}

impl From<fmt::Error> for Why {
    fn from(_: fmt::Error) -> Why {
        Why::Type
    }
}

/// A text with a bound.
struct Text(String);

impl fmt::Write for Text {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        if self.0.len() + s.len() > TEXTS_MAX {
            return Err(fmt::Error);
        }
        self.0.push_str(s);
        Ok(())
    }
}

struct Writer<'a> {
    types: TypesRef<'a>,
    text: Text,
}

impl Writer<'_> {
    /// `begin a, b, … end`; what `one` returns is summed.
    fn list<T>(
        &mut self,
        (begin, end): (&str, &str),
        items: impl Iterator<Item = T>,
        mut one: impl FnMut(&mut Self, T) -> Result<u32, Why>,
    ) -> Result<u32, Why> {
        self.text.write_str(begin)?;
        let mut flat = 0u32;
        for (i, item) in items.enumerate() {
            self.text.write_str(if i > 0 { ", " } else { "" })?;
            flat = flat.saturating_add(one(self, item)?);
        }
        self.text.write_str(end)?;
        Ok(flat)
    }

    fn word(&mut self, word: impl fmt::Display, flat: u32) -> Result<u32, Why> {
        write!(self.text, "{word}")?;
        Ok(flat)
    }

    fn primitive(&mut self, p: Primitive) -> Result<u32, Why> {
        match p {
            Primitive::ErrorContext => Err(Why::ErrorContext),
            Primitive::String => self.word("string", 2),
            Primitive::Bool => self.word("bool", 1),
            Primitive::S8 => self.word("s8", 1),
            Primitive::U8 => self.word("u8", 1),
            Primitive::S16 => self.word("s16", 1),
            Primitive::U16 => self.word("u16", 1),
            Primitive::S32 => self.word("s32", 1),
            Primitive::U32 => self.word("u32", 1),
            Primitive::S64 => self.word("s64", 1),
            Primitive::U64 => self.word("u64", 1),
            Primitive::F32 => self.word("f32", 1),
            Primitive::F64 => self.word("f64", 1),
            Primitive::Char => self.word("char", 1),
        }
    }

    /// Writes a type inside `depth` others; how many core values it takes.
    fn ty(&mut self, ty: &ComponentValType, depth: usize) -> Result<u32, Why> {
        let id = match ty {
            ComponentValType::Primitive(p) => return self.primitive(*p),
            ComponentValType::Type(id) => *id,
        };
        if depth >= CALL_DEPTH_MAX {
            return Err(Why::Type);
        }
        let types = self.types;
        match &types[id] {
            Defined::Primitive(p) => self.primitive(*p),
            Defined::Record(r) => self.list(("record{", "}"), r.fields.iter(), |w, (name, ty)| {
                write!(w.text, "{name}: ")?;
                w.ty(ty, depth + 1)
            }),
            Defined::Tuple(t) => {
                self.list(("tuple<", ">"), t.types.iter(), |w, ty| w.ty(ty, depth + 1))
            }
            Defined::Variant(v) => {
                let mut most = 0;
                self.list(("variant{", "}"), v.cases.iter(), |w, (name, case)| {
                    write!(w.text, "{name}")?;
                    if let Some(ty) = &case.ty {
                        w.text.write_str("(")?;
                        most = most.max(w.ty(ty, depth + 1)?);
                        w.text.write_str(")")?;
                    }
                    Ok(0)
                })?;
                Ok(1u32.saturating_add(most))
            }
            Defined::Enum(names) => {
                self.list(("enum{", "}"), names.iter(), |w, name| w.word(name, 0))?;
                Ok(1)
            }
            Defined::Flags(names) => {
                self.list(("flags{", "}"), names.iter(), |w, name| w.word(name, 0))?;
                if names.len() > 32 {
                    return Err(Why::Type);
                }
                Ok(1)
            }
            Defined::List { element, .. } => {
                self.text.write_str("list<")?;
                self.ty(element, depth + 1)?;
                self.word(">", 2)
            }
            Defined::Option { ty, .. } => {
                self.text.write_str("option<")?;
                let flat = self.ty(ty, depth + 1)?;
                self.word(">", flat.saturating_add(1))
            }
            Defined::Result { ok, err, .. } => self.result(ok.as_ref(), err.as_ref(), depth),
            Defined::Own(_) | Defined::Borrow(_) => Err(Why::Resource),
            Defined::Future { .. } => Err(Why::Future),
            Defined::Stream { .. } => Err(Why::Stream),
            Defined::Map { .. } | Defined::FixedLengthList { .. } => Err(Why::Type),
        }
    }

    /// `result`, `result<T>`, `result<_, E>`, `result<T, E>`
    fn result(
        &mut self,
        ok: Option<&ComponentValType>,
        err: Option<&ComponentValType>,
        depth: usize,
    ) -> Result<u32, Why> {
        self.text.write_str("result")?;
        let mut most = 0;
        match ok {
            Some(ty) => {
                self.text.write_str("<")?;
                most = self.ty(ty, depth + 1)?;
            }
            None if err.is_some() => self.text.write_str("<_")?,
            None => {}
        }
        if let Some(ty) = err {
            self.text.write_str(", ")?;
            most = most.max(self.ty(ty, depth + 1)?);
        }
        if ok.or(err).is_some() {
            self.text.write_str(">")?;
        }
        Ok(1u32.saturating_add(most))
    }

    /// `name(a: T, b: U) -> R`
    fn function(&mut self, name: &str, f: &ComponentFuncType) -> Result<(), Why> {
        if f.async_ {
            return Err(Why::Future);
        }
        self.text.write_str(name)?;
        let flat = self.list(("(", ")"), f.params.iter(), |w, (name, ty)| {
            write!(w.text, "{name}: ")?;
            w.ty(ty, 0)
        })?;
        if flat > CALL_PARAMETERS_MAX {
            return Err(Why::Parameters);
        }
        if let Some(ty) = &f.result {
            self.text.write_str(" -> ")?;
            self.ty(ty, 0)?;
        }
        Ok(())
    }

    /// The functions of an interface; on failure, which one it is that cannot be.
    fn interface(&mut self, entity: Entity) -> Result<(), (Why, u32)> {
        let Entity::Instance(id) = entity else {
            return Err((Why::Type, 0));
        };
        let types = self.types;
        let mut functions = Vec::new();
        let mut other = None;
        for (name, item) in &types[id].exports {
            match item.ty {
                Entity::Func(id) => functions.push((name.as_str(), &types[id])),
                Entity::Type {
                    referenced: ComponentAnyTypeId::Resource(_),
                    ..
                } => other = Some(Why::Resource),
                Entity::Type { .. } => {}
                _ => other = Some(Why::Type),
            }
        }
        functions.sort_by(|a, b| a.0.cmp(b.0));
        let wrong = |i: usize| move |why: Why| (why, i as u32);
        for (i, (name, f)) in functions.iter().enumerate() {
            let quote = if i > 0 { ",\"" } else { "\"" };
            self.text
                .write_str(quote)
                .map_err(Why::from)
                .map_err(wrong(i))?;
            self.function(name, f).map_err(wrong(i))?;
            self.text
                .write_str("\"")
                .map_err(Why::from)
                .map_err(wrong(i))?;
        }
        match other {
            Some(why) => Err((why, functions.len() as u32)),
            None => Ok(()),
        }
    }
}

/// Both sides as canonical JSON. Names of interfaces, functions and types are ASCII without quotes and backslashes.
pub fn write(types: TypesRef<'_>, calls: &Interfaces<'_>) -> Result<String, Refusal> {
    let mut w = Writer {
        types,
        text: Text(String::new()),
    };
    let sides = [
        ("{\"exports\":{", &calls.exports),
        ("},\"imports\":{", &calls.imports),
    ];
    for (side, (begin, names)) in sides.into_iter().enumerate() {
        let refuse = |interface: usize| {
            move |(why, function): (Why, u32)| Refusal {
                why,
                side: side as u32,
                interface: interface as u32,
                function,
            }
        };
        let short = |_| refuse(0)((Why::Type, 0));
        w.text.write_str(begin).map_err(short)?;
        let mut sorted: Vec<_> = names.iter().enumerate().collect();
        sorted.sort_by_key(|(_, name)| **name);
        for (n, (i, name)) in sorted.into_iter().enumerate() {
            let (item, missing) = if side == 0 {
                (types.component_item_for_export(name), Why::Export)
            } else {
                (types.component_item_for_import(name), Why::Import)
            };
            let item = item
                .filter(|_| !name.starts_with("wasi:"))
                .ok_or_else(|| refuse(i)((missing, 0)))?;
            let comma = if n > 0 { "," } else { "" };
            write!(w.text, "{comma}\"{name}\":[").map_err(short)?;
            w.interface(item.ty).map_err(refuse(i))?;
            w.text.write_str("]").map_err(short)?;
        }
    }
    w.text.write_str("}}").map_err(|_| Refusal {
        why: Why::Type,
        side: 0,
        interface: 0,
        function: 0,
    })?;
    Ok(w.text.0)
}
