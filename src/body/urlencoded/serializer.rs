//! Pairs of names and values, out of any value that has such pairs.

use std::fmt::{self, Display};

use serde::Serialize;
use serde::ser::{self, Impossible};

use crate::error::{Error, Result};

/// Returns the pairs of a sequence of pairs, a map or a struct, in its order.
pub(crate) fn pairs(value: &(impl Serialize + ?Sized)) -> Result<Vec<(String, String)>> {
    let mut pairs = Pairs::default();
    match value.serialize(Writer { pairs: &mut pairs, place: Place::Whole }) {
        Ok(()) => Ok(pairs.done),
        Err(unfit) => Err(Error::request("the value is not a map, a struct or a sequence of pairs of plain values")
            .with_source(unfit)),
    }
}

#[derive(Default)]
struct Pairs {
    done: Vec<(String, String)>,
    /// The name of the values that come next.
    name: String,
}

/// Where in the value the serializer is.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// At the whole value.
    Whole,
    /// At an element of a sequence, which has two elements: name and value.
    Pair,
    Name,
    Value,
    /// At one of several values of a name.
    Item,
}

struct Writer<'a> {
    pairs: &'a mut Pairs,
    place: Place,
}

impl<'a> Writer<'a> {
    fn scalar(self, text: impl Into<String>) -> Result<(), Unfit> {
        match self.place {
            Place::Whole => Err(Unfit::new(
                "it is a single value without a name; raw_query takes an encoded query, and body a text",
            )),
            Place::Pair => Err(Unfit::new("an element of the sequence is not a pair")),
            Place::Name => {
                self.pairs.name = text.into();
                Ok(())
            }
            Place::Value | Place::Item => {
                self.pairs.done.push((self.pairs.name.clone(), text.into()));
                Ok(())
            }
        }
    }

    /// Leaves out a value that is absent.
    fn nothing(self) -> Result<(), Unfit> {
        match self.place {
            Place::Name => Err(Unfit::new("a name is missing")),
            _ => Ok(()),
        }
    }

    fn sequence(self) -> Result<Elements<'a>, Unfit> {
        let place = match self.place {
            Place::Whole => Place::Pair,
            Place::Pair => Place::Name,
            Place::Value => Place::Item,
            Place::Name => return Err(Unfit::new("a name is a sequence")),
            Place::Item => return Err(Unfit::new("a sequence is inside another one")),
        };
        Ok(Elements { pairs: self.pairs, place, count: 0 })
    }

    fn named(self) -> Result<Elements<'a>, Unfit> {
        match self.place {
            Place::Whole => Ok(Elements { pairs: self.pairs, place: Place::Name, count: 0 }),
            _ => Err(Unfit::new("a map or struct is inside another value")),
        }
    }
}

/// The elements of a sequence, or alternating names and values.
struct Elements<'a> {
    pairs: &'a mut Pairs,
    place: Place,
    count: usize,
}

impl Elements<'_> {
    fn write(&mut self, place: Place, value: &(impl Serialize + ?Sized)) -> Result<(), Unfit> {
        value.serialize(Writer { pairs: self.pairs, place })
    }

    fn element(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Unfit> {
        let place = match (self.place, self.count) {
            (Place::Name, 0) => Place::Name,
            (Place::Name, 1) => Place::Value,
            (Place::Name, _) => return Err(Unfit::new("a pair has more than two elements")),
            (place, _) => place,
        };
        self.count += 1;
        self.write(place, value)
    }

    fn end(self) -> Result<(), Unfit> {
        match (self.place, self.count) {
            (Place::Name, 0 | 1) => Err(Unfit::new("a pair has fewer than two elements")),
            _ => Ok(()),
        }
    }
}

macro_rules! scalars {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, value: $type) -> Result<(), Unfit> {
            self.scalar(value.to_string())
        }
    )*};
}

/// Refuses values that have no form as pairs.
macro_rules! unfit {
    ($($method:ident($($argument:ty),*) -> $answer:ty;)*) => {$(
        fn $method(self, $(_: $argument),*) -> Result<$answer, Unfit> {
            Err(Unfit::new("an enum's variant has values of its own"))
        }
    )*};
}

impl<'a> ser::Serializer for Writer<'a> {
    type Ok = ();
    type Error = Unfit;
    type SerializeSeq = Elements<'a>;
    type SerializeTuple = Elements<'a>;
    type SerializeTupleStruct = Elements<'a>;
    type SerializeTupleVariant = Impossible<(), Unfit>;
    type SerializeMap = Elements<'a>;
    type SerializeStruct = Elements<'a>;
    type SerializeStructVariant = Impossible<(), Unfit>;

    scalars!(
        serialize_bool: bool, serialize_char: char, serialize_str: &str,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128
    );

    unfit! {
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }

    /// Writes the number as Rust reads it back: `1.0`, `1e100`.
    fn serialize_f32(self, value: f32) -> Result<(), Unfit> {
        self.scalar(format!("{value:?}"))
    }

    fn serialize_f64(self, value: f64) -> Result<(), Unfit> {
        self.scalar(format!("{value:?}"))
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Unfit> {
        Err(Unfit::new("bytes are no text"))
    }

    fn serialize_none(self) -> Result<(), Unfit> {
        self.nothing()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unfit> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unfit> {
        self.nothing()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unfit> {
        self.nothing()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Unfit> {
        self.scalar(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Unfit> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Unfit> {
        Err(Unfit::new("an enum's variant has a value of its own"))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Elements<'a>, Unfit> {
        self.sequence()
    }

    fn serialize_tuple(self, _: usize) -> Result<Elements<'a>, Unfit> {
        self.sequence()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Elements<'a>, Unfit> {
        self.sequence()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Elements<'a>, Unfit> {
        self.named()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Elements<'a>, Unfit> {
        self.named()
    }
}

macro_rules! sequences {
    ($($trait:ident: $method:ident),*) => {$(
        impl ser::$trait for Elements<'_> {
            type Ok = ();
            type Error = Unfit;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
                self.element(value)
            }

            fn end(self) -> Result<(), Unfit> {
                Elements::end(self)
            }
        }
    )*};
}

sequences!(SerializeSeq: serialize_element, SerializeTuple: serialize_element, SerializeTupleStruct: serialize_field);

impl ser::SerializeMap for Elements<'_> {
    type Ok = ();
    type Error = Unfit;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unfit> {
        self.write(Place::Name, key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        self.write(Place::Value, value)
    }

    fn end(self) -> Result<(), Unfit> {
        Ok(())
    }
}

impl ser::SerializeStruct for Elements<'_> {
    type Ok = ();
    type Error = Unfit;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Unfit> {
        self.write(Place::Name, key)?;
        self.write(Place::Value, value)
    }

    fn end(self) -> Result<(), Unfit> {
        Ok(())
    }
}

/// Why a value has no pairs.
#[derive(Debug)]
struct Unfit(String);

impl Unfit {
    fn new(why: &str) -> Unfit {
        Unfit(why.to_owned())
    }
}

impl Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

impl ser::Error for Unfit {
    fn custom<T: Display>(why: T) -> Unfit {
        Unfit(why.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn text(value: &impl Serialize) -> Option<String> {
        let pairs = pairs(value).ok()?;
        Some(pairs.iter().map(|(name, value)| format!("{name}={value};")).collect())
    }

    #[derive(Serialize)]
    struct Query<'a> {
        z: &'a str,
        a: Option<u8>,
        none: Option<u8>,
        list: Vec<Option<i64>>,
        kind: Kind,
        wrapped: Wrapped,
        letter: char,
        ratio: f64,
        unit: (),
        big: u128,
    }

    #[derive(Serialize)]
    enum Kind {
        #[serde(rename = "plain-kind")]
        Plain,
        Tuple(u8, u8),
        Struct {
            a: u8,
        },
        New(u8),
    }

    #[derive(Serialize)]
    struct Wrapped(bool);

    #[test]
    fn structs() {
        let query = Query {
            z: "first & é",
            a: Some(1),
            none: None,
            list: vec![Some(3), None, Some(-4)],
            kind: Kind::Plain,
            wrapped: Wrapped(true),
            letter: 'x',
            ratio: 1.0,
            unit: (),
            big: u128::MAX,
        };
        let expected = format!(
            "z=first & é;a=1;list=3;list=-4;kind=plain-kind;wrapped=true;letter=x;ratio=1.0;big={};",
            u128::MAX
        );
        assert_eq!(text(&query).unwrap(), expected);
    }

    #[test]
    fn maps_and_sequences() {
        assert_eq!(text(&BTreeMap::from([("b", 2), ("a", 1)])).unwrap(), "a=1;b=2;");
        assert_eq!(text(&BTreeMap::from([(2, vec!["x", "y"]), (1, vec![])])).unwrap(), "2=x;2=y;");
        assert_eq!(text(&[("b", 2), ("a", 1), ("b", 3)]).unwrap(), "b=2;a=1;b=3;");
        assert_eq!(text(&vec![vec!["k", "v"]]).unwrap(), "k=v;");
        assert_eq!(text(&Some([("a", None), ("b", Some(1))])).unwrap(), "b=1;");
        assert_eq!(text(&json!({"a": [1, "x", null, true], "n": null})).unwrap(), "a=1;a=x;a=true;");
        assert_eq!(text(&Vec::<(u8, u8)>::new()).unwrap(), "");
        assert_eq!(text(&()).unwrap(), "");
    }

    #[test]
    fn what_has_no_pairs() {
        let table = [
            ("a scalar", pairs(&7)),
            ("a text", pairs("a=b")),
            ("no pairs", pairs(&["a", "b"])),
            ("a triple", pairs(&[("a", 1, 2)])),
            ("half a pair", pairs(&[("a",)])),
            ("an empty pair", pairs(&json!([[]]))),
            ("a map in a map", pairs(&json!({"a": {"b": 1}}))),
            ("a map in a sequence", pairs(&json!([{"a": 1}]))),
            ("nested lists", pairs(&json!({"a": [[1]]}))),
            ("a list as a name", pairs(&[(["a"], 1)])),
            ("no name", pairs(&[(None::<u8>, 1)])),
            ("a tuple variant", pairs(&[("a", Kind::Tuple(1, 2))])),
            ("a struct variant", pairs(&[("a", Kind::Struct { a: 1 })])),
            ("a newtype variant", pairs(&[("a", Kind::New(1))])),
        ];
        for (id, pairs) in table {
            let error = pairs.expect_err(id);
            assert!(matches!(error.kind(), crate::error::ErrorKind::InvalidRequest), "{id}");
            assert!(std::error::Error::source(&error).is_some(), "{id}");
        }
    }
}
