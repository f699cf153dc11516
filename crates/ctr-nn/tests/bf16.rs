//! Dense layers whose products round their factors to bfloat16, against PyTorch.
//!
//! The precision is that of the whole process, so these tests are a program of their own, and all of them set it.
//!
//! ```python
//! import torch
//! def spread(*shape, step):
//!     count = torch.Size(shape).numel()
//!     return ((torch.arange(count) * step % 101 - 50).float() / 101).reshape(shape)
//! r = lambda x: x.bfloat16().float()
//! class Product(torch.autograd.Function):
//!     @staticmethod
//!     def forward(ctx, x, w):
//!         ctx.save_for_backward(x, w)
//!         return r(x) @ r(w)
//!     @staticmethod
//!     def backward(ctx, g):
//!         x, w = ctx.saved_tensors
//!         return r(g) @ r(w).T, r(x).T @ r(g)
//! x, a, b = spread(6, 5, step=37), spread(5, 4, step=58), spread(4, 1, step=43)
//! bias = spread(4, step=11) + 0.5
//! leaves = [t.requires_grad_() for t in (x, a, bias, b)]
//! y = Product.apply((Product.apply(x, a) + bias).relu(), b)
//! (y * spread(6, 1, step=17)).sum().backward()
//! for name, t in zip(["Y", "X", "A", "BIAS", "B"], [y] + [t.grad for t in leaves]):
//!     print(f"const {name}: [f32; {t.numel()}] = {[float(f'{v:.9g}') for v in t.detach().flatten().tolist()]};")
//! ```

#![allow(clippy::unreadable_literal, clippy::excessive_precision)] // Values as PyTorch printed them.

use candle_core::{DType, Device, Result, Tensor, Var};
use ctr_nn::{
    DenseStack, DenseStep, DeviceChoice, DirectGradients, Group, Initializer, Leaves, Linear, MatmulPrecision, affine,
};

const Y: [f32; 6] = [0.115878105, -0.178628922, -0.180524826, -0.114251137, -0.0603542328, 0.107593];
const X: [f32; 30] = [
    -0.0354290009,
    -0.0906705856,
    -0.0383234024,
    0.189538002,
    -0.0023651123,
    -0.0635123253,
    -0.0655460358,
    0.00338792801,
    0.0722873211,
    -0.0199556351,
    -0.01135993,
    -0.0290426016,
    -0.0122480392,
    0.060613513,
    -0.000751972198,
    -0.00175711513,
    0.000588349998,
    0.00147345662,
    -0.00183201768,
    -0.00163400173,
    -0.03158319,
    0.0106543303,
    0.0264832973,
    -0.032904759,
    -0.0294129848,
    0.0229077339,
    0.0544505119,
    0.0346302986,
    -0.131966889,
    -0.00474643707,
];
const A: [f32; 20] = [
    0.00402450562,
    0.0101084709,
    0.0255126953,
    0.00826644897,
    -0.120692849,
    -0.00340598822,
    0.0661869049,
    -0.0615839958,
    -0.00639438629,
    -0.00393256545,
    -0.0157350898,
    0.0146577656,
    0.0348424911,
    0.0064644888,
    0.021450296,
    0.0177794769,
    -0.0899016857,
    -0.00706356764,
    0.0620251894,
    -0.052079618,
];
const BIAS: [f32; 4] = [0.312698364, -0.0369786024, -0.0423073769, 0.0969506502];
const B: [f32; 4] = [-0.129975319, 0.0790661573, -0.12671563, -0.189193249];

fn spread(shape: &[usize], step: usize) -> Result<Tensor> {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|i| (i * step % 101) as f32 - 50.0).map(|i| i / 101.0).collect();
    Tensor::from_vec(values, shape, &Device::Cpu)
}

/// Much less than what rounding moves (5e-4 in `Y`), and more than orders of summation do.
#[track_caller]
fn assert_close(found: &Tensor, expected: &[f32]) -> Result<()> {
    let found = found.flatten_all()?.to_vec1::<f32>()?;
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
    }
    Ok(())
}

fn layer(name: &str, input: usize, output: usize, bias: bool) -> Linear {
    Linear { name: name.into(), input, output, bias, group: Group::Body, initializer: Initializer::XavierNormal }
}

/// Two layers with a rectifier between them, of one replica.
struct Layers {
    first: Linear,
    last: Linear,
    x: Var,
    variables: [(&'static str, Var); 3],
}

impl Layers {
    fn new() -> Result<Self> {
        MatmulPrecision::Bf16.set(DeviceChoice::Cpu).expect("a precision that the CPU has");
        let variables = [
            ("a.weight", Var::from_tensor(&spread(&[1, 5, 4], 58)?)?),
            ("a.bias", Var::from_tensor(&(spread(&[1, 4], 11)? + 0.5)?)?),
            ("b.weight", Var::from_tensor(&spread(&[1, 4, 1], 43)?)?),
        ];
        let x = Var::from_tensor(&spread(&[1, 6, 5], 37)?)?;
        Ok(Self { first: layer("a", 5, 4, true), last: layer("b", 4, 1, false), x, variables })
    }

    fn leaves(&self) -> Leaves {
        let mut leaves = Leaves::default();
        for (name, variable) in &self.variables {
            leaves.insert(*name, variable.as_tensor().clone());
        }
        leaves
    }

    /// Both layers and the rectifier as one node.
    fn stacked(&self, leaves: &Leaves) -> Result<Tensor> {
        let steps = [DenseStep::Linear(&self.first), DenseStep::Relu, DenseStep::Linear(&self.last)];
        DenseStack(&steps).forward(&self.x, leaves).map(|value| value.expect("a stack"))
    }
}

fn loss(y: &Tensor) -> Result<Tensor> {
    (y * spread(&[1, 6, 1], 17)?)?.sum_all()
}

#[test]
fn layers_in_the_graph() -> Result<()> {
    let layers = Layers::new()?;
    let leaves = layers.leaves();
    let y = layers.last.forward(&layers.first.forward_relu(&layers.x, &leaves)?, &leaves)?;
    assert_close(&y, &Y)?;
    let grads = loss(&y)?.backward()?;
    assert_close(grads.get(&layers.x).expect("a gradient"), &X)?;
    for ((_, variable), expected) in layers.variables.iter().zip([&A[..], &BIAS, &B]) {
        assert_close(grads.get(variable).expect("a gradient"), expected)?;
    }
    Ok(())
}

#[test]
fn layers_out_of_the_graph() -> Result<()> {
    let layers = Layers::new()?;
    let [a, bias, b] = layers.variables.each_ref().map(|(_, variable)| variable.as_detached_tensor());
    let hidden = affine(&layers.x.as_detached_tensor(), &a, Some(&bias), true)?;
    assert_close(&affine(&hidden, &b, None, false)?, &Y)
}

#[test]
fn layers_as_one_node() -> Result<()> {
    let layers = Layers::new()?;
    let mut leaves = layers.leaves();
    let direct = DirectGradients::default();
    leaves.collect_gradients(direct.clone());
    let y = layers.stacked(&leaves)?;
    assert_close(&y, &Y)?;
    let grads = loss(&y)?.backward()?;
    assert_close(grads.get(&layers.x).expect("a gradient"), &X)?;
    let collected = direct.take();
    for ((name, _), expected) in layers.variables.iter().zip([&A[..], &BIAS, &B]) {
        assert_close(&collected[*name], expected)?;
    }
    Ok(())
}

#[test]
fn steps_of_gradient_descent() -> Result<()> {
    let layers = Layers::new()?;
    let before = layers.variables.each_ref().map(|(_, variable)| variable.as_detached_tensor().copy());
    let mut leaves = layers.leaves();
    leaves.collect_gradients(DirectGradients::descending(0.5));
    loss(&layers.stacked(&leaves)?)?.backward()?;
    for (((_, variable), before), expected) in layers.variables.iter().zip(before).zip([&A[..], &BIAS, &B]) {
        assert_close(&((before? - variable.as_tensor())? / 0.5)?, expected)?;
    }
    Ok(())
}

/// Two replicas of one layer, and more samples than a weights' gradient adds in one pass, against candle's own rounding.
#[test]
fn replicas_and_many_samples() -> Result<()> {
    MatmulPrecision::Bf16.set(DeviceChoice::Cpu).expect("a precision that the CPU has");
    let layer = layer("a", 5, 4, false);
    let x = Var::from_tensor(&spread(&[2, 300, 5], 37)?)?;
    let (weight, slope) = (Var::from_tensor(&spread(&[2, 5, 4], 58)?)?, spread(&[2, 300, 4], 17)?);
    let rounded = |tensor: &Tensor| tensor.detach().to_dtype(DType::BF16)?.to_dtype(DType::F32);
    let (of_x, of_weight, of_slope) = (rounded(&x)?, rounded(&weight)?, rounded(&slope)?);
    let mut leaves = Leaves::default();
    leaves.insert("a.weight", weight.as_tensor().clone());
    let direct = DirectGradients::default();
    leaves.collect_gradients(direct.clone());
    let y = DenseStack(&[DenseStep::Linear(&layer)]).forward(&x, &leaves)?.expect("a stack");
    let grads = (&y * &slope)?.sum_all()?.backward()?;
    let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
    assert_close(&y, &values(&of_x.matmul(&of_weight)?)?)?;
    assert_close(grads.get(&x).expect("a gradient"), &values(&of_slope.matmul(&of_weight.t()?)?)?)?;
    let expected = of_x.transpose(1, 2)?.matmul(&of_slope)?;
    // Sums of 300 products, of either sign: compared beside their size.
    assert_close(&(&direct.take()["a.weight"] / 300.0)?, &values(&(expected / 300.0)?)?)
}
